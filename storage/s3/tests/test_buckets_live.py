"""Buckets made, listed, asked about and removed through boto3."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from storage.s3.tests.signer import call
from tests.stack import Account, Stack


@pytest.fixture(scope="module")
def account(stack: Stack) -> Account:
    return stack.account()


def refusal(function: Any, **parameters: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        function(**parameters)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_made_again(account: Account) -> None:
    s3 = account.s3()
    for _ in range(2):
        assert s3.create_bucket(Bucket="again")["Location"] == "/again"
    assert refusal(s3.create_bucket, Bucket="again", ACL="public-read") == (409, "BucketAlreadyExists")
    locked = {"Bucket": "again", "ObjectLockEnabledForBucket": True}
    assert refusal(s3.create_bucket, **locked) == (409, "BucketAlreadyOwnedByYou")
    assert s3.head_bucket(Bucket="again")["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket="again")["LocationConstraint"] is None


def test_made_with_settings(account: Account) -> None:
    s3 = account.s3()
    s3.create_bucket(
        Bucket="locked",
        ObjectLockEnabledForBucket=True,
        ObjectOwnership="BucketOwnerEnforced",
        CreateBucketConfiguration={"LocationConstraint": "eu-north-1", "Tags": [{"Key": "a", "Value": "b"}]},
    )
    assert s3.get_bucket_location(Bucket="locked")["LocationConstraint"] == "eu-north-1"
    assert s3.head_bucket(Bucket="locked")["BucketRegion"] == "eu-north-1"
    assert s3.get_bucket_versioning(Bucket="locked")["Status"] == "Enabled"
    assert s3.get_object_lock_configuration(Bucket="locked")["ObjectLockConfiguration"] == {
        "ObjectLockEnabled": "Enabled"
    }
    assert s3.get_bucket_tagging(Bucket="locked")["TagSet"] == [{"Key": "a", "Value": "b"}]


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({"x-amz-acl": "public-read"}, b"", "InvalidBucketAclWithObjectOwnership"),
        ({"x-amz-grant-read": "id=x"}, b"", "InvalidBucketAclWithObjectOwnership"),
        ({"x-amz-acl": "whatever"}, b"", "InvalidArgument"),
        ({"x-amz-object-ownership": "ObjectWriter"}, b"", "NotImplemented"),
        ({"x-amz-object-ownership": "Mine"}, b"", "InvalidArgument"),
        ({"x-amz-bucket-object-lock-enabled": "maybe"}, b"", "InvalidArgument"),
        ({}, b"<CreateBucketConfiguration><Surprise/></CreateBucketConfiguration>", "MalformedXML"),
        (
            {},
            b"<CreateBucketConfiguration><LocationConstraint>a b</LocationConstraint></CreateBucketConfiguration>",
            "InvalidLocationConstraint",
        ),
        (
            {},
            b"<CreateBucketConfiguration>" + b" " * (64 << 10) + b"</CreateBucketConfiguration>",
            "MalformedXML",
        ),
        (
            {},
            b"<CreateBucketConfiguration><Tags><Tag><Key>aws:a</Key><Value/></Tag></Tags></CreateBucketConfiguration>",
            "InvalidTag",
        ),
    ],
)
def test_not_made(account: Account, headers: dict[str, str], body: bytes, code: str) -> None:
    assert call(account, "PUT", "/s3/never-made", body, headers=headers).code == code
    assert call(account, "HEAD", "/s3/never-made").status == 404


@pytest.mark.parametrize(
    "name", ["a", "aa", "A-bucket", "a_b", "a..b", "192.168.1.1", "x" * 64, "-ab", "ab-"]
)
def test_no_names(account: Account, name: str) -> None:
    assert call(account, "PUT", f"/s3/{name}").code == "InvalidBucketName"


def test_listed_in_pages(stack: Stack) -> None:
    account = stack.account()
    s3 = account.s3()
    assert s3.list_buckets(MaxBuckets=1)["Buckets"] == []
    for name in ("log-b", "data", "log-a", "log-c"):
        account.bucket(name)
    pages = s3.get_paginator("list_buckets").paginate(Prefix="log-", PaginationConfig={"PageSize": 2})
    found = [[bucket["Name"] for bucket in page["Buckets"]] for page in pages]
    assert found == [["log-a", "log-b"], ["log-c"]]
    whole = s3.list_buckets()
    assert [bucket["Name"] for bucket in whole["Buckets"]] == ["data", "log-a", "log-b", "log-c"]
    assert whole["Owner"] == {"ID": account.slug, "DisplayName": account.slug}
    assert "ContinuationToken" not in whole
    for query in ("max-buckets=0", "max-buckets=x", "continuation-token=%C3%BC"):
        assert call(account, "GET", f"/s3/?{query}").code == "InvalidArgument"


def test_removed(account: Account) -> None:
    s3 = account.s3()
    s3.create_bucket(Bucket="short-lived")
    s3.put_object(Bucket="short-lived", Key="k", Body=b"x")
    assert refusal(s3.delete_bucket, Bucket="short-lived") == (409, "BucketNotEmpty")
    s3.delete_object(Bucket="short-lived", Key="k")
    assert s3.delete_bucket(Bucket="short-lived")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refusal(s3.delete_bucket, Bucket="short-lived") == (404, "NoSuchBucket")
    assert refusal(s3.head_bucket, Bucket="short-lived") == (404, "404")
