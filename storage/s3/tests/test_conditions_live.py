"""Writes and deletes under conditions through boto3; those of reads are with the objects."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from storage.s3.tests.outcomes import refusal, status
from tests.stack import Account, Stack

FAILED = (412, "PreconditionFailed")
GONE = (404, "NoSuchKey")
NEVER = datetime(2015, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def account(stack: Stack) -> Account:
    made = stack.account()
    made.bucket()
    return made


@pytest.fixture(scope="module")
def s3(account: Account) -> Any:
    return account.s3()


def completes(s3: Any, which: dict[str, str], **condition: str) -> Any:
    """Complete an upload of one part, under a condition."""
    upload = {**which, "UploadId": s3.create_multipart_upload(**which)["UploadId"]}
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"part")["ETag"]
    lines = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    return s3.complete_multipart_upload(**upload, MultipartUpload=lines, **condition)


def copies(s3: Any, which: dict[str, str], **condition: str) -> Any:
    return s3.copy_object(**which, CopySource="docs/source", **condition)["CopyObjectResult"]


def puts(s3: Any, which: dict[str, str], **condition: str) -> Any:
    return s3.put_object(**which, Body=b"put", **condition)


@pytest.mark.parametrize("write", [puts, completes, copies])
def test_writes(s3: Any, write: Any) -> None:
    s3.put_object(Bucket="docs", Key="source", Body=b"source")
    which = {"Bucket": "docs", "Key": write.__name__}
    assert refusal(write, s3=s3, which=which, IfMatch="*") == GONE
    assert refusal(write, s3=s3, which=which, IfMatch='"x"') == GONE
    etag = write(s3, which, IfNoneMatch="*")["ETag"]
    assert refusal(write, s3=s3, which=which, IfNoneMatch="*") == FAILED
    assert refusal(write, s3=s3, which=which, IfNoneMatch=etag) == FAILED
    assert refusal(write, s3=s3, which=which, IfMatch='"x"') == FAILED
    write(s3, which, IfMatch=etag)
    write(s3, which, IfMatch="*")
    write(s3, which, IfNoneMatch='"x"')
    both = {"IfMatch": etag, "IfNoneMatch": "*"}
    assert refusal(write, s3=s3, which=which, **both) == (501, "NotImplemented")


def test_writes_of_versions(account: Account, s3: Any) -> None:
    s3.put_bucket_versioning(Bucket=account.bucket("versions"), VersioningConfiguration={"Status": "Enabled"})
    which = {"Bucket": "versions", "Key": "k"}
    etag = puts(s3, which, IfNoneMatch="*")["ETag"]
    s3.delete_object(**which)
    assert refusal(puts, s3=s3, which=which, IfMatch=etag) == GONE
    version = puts(s3, which, IfNoneMatch="*")["VersionId"]
    assert refusal(s3.delete_object, **which, VersionId=version, IfMatch='"x"') == FAILED
    assert "DeleteMarker" not in s3.delete_object(**which, VersionId=version, IfMatch=etag)


def test_deletes(s3: Any) -> None:
    which = {"Bucket": "docs", "Key": "doomed"}
    etag = s3.put_object(**which, Body=b"12345")["ETag"]
    for wrong in ({"IfMatch": '"x"'}, {"IfMatchSize": 4}, {"IfMatchLastModifiedTime": NEVER}):
        assert refusal(s3.delete_object, **which, **wrong) == FAILED
    for names in (["IfMatch"], ["IfMatchSize"], ["IfMatchLastModifiedTime"], ["IfMatch", "IfMatchSize"]):
        s3.put_object(**which, Body=b"12345")
        modified = s3.head_object(**which)["LastModified"]
        right = {"IfMatch": etag, "IfMatchSize": 5, "IfMatchLastModifiedTime": modified}
        assert status(s3.delete_object(**which, **{name: right[name] for name in names})) == 204
        assert s3.list_objects_v2(Bucket="docs", Prefix="doomed")["KeyCount"] == 0
    s3.put_object(**which, Body=b"12345")
    s3.delete_object(**which, IfMatch="*")
    assert refusal(s3.head_object, **which)[0] == 404
    assert status(s3.delete_object(**which, IfMatch='"x"')) == 204


def test_deletes_of_many(s3: Any) -> None:
    etag = s3.put_object(Bucket="docs", Key="many/0", Body=b"12345")["ETag"]
    for n in (1, 2, 3):
        s3.put_object(Bucket="docs", Key=f"many/{n}", Body=b"12345")
    wanted = [
        {"Key": "many/0", "ETag": etag, "Size": 5},
        {"Key": "many/1", "ETag": '"x"'},
        {"Key": "many/2", "Size": 6},
        {"Key": "many/3", "LastModifiedTime": NEVER},
    ]
    answer = s3.delete_objects(Bucket="docs", Delete={"Objects": wanted})
    assert [row["Key"] for row in answer["Deleted"]] == ["many/0"]
    assert {(row["Key"], row["Code"]) for row in answer["Errors"]} == {
        (f"many/{n}", "PreconditionFailed") for n in (1, 2, 3)
    }


def test_whose_the_bucket_is_believed_to_be(account: Account, s3: Any) -> None:
    which = {"Bucket": "docs", "Key": "owned"}
    s3.put_object(**which, Body=b"x", ExpectedBucketOwner=account.slug)
    assert s3.get_object(**which, ExpectedBucketOwner=account.slug)["Body"].read() == b"x"
    denied = (403, "AccessDenied")
    assert refusal(s3.get_object, **which, ExpectedBucketOwner="somebody") == denied
    assert refusal(s3.list_objects_v2, Bucket="docs", ExpectedBucketOwner="somebody") == denied
    copy = {"Bucket": "docs", "Key": "copy", "CopySource": which}
    assert refusal(s3.copy_object, **copy, ExpectedSourceBucketOwner="somebody") == denied
    s3.copy_object(**copy, ExpectedSourceBucketOwner=account.slug)
