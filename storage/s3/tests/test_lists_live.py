"""Lists, buckets and DeleteObjects through the real stack."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.stack import Account, Stack

KEYS = sorted(["a", *[f"d{n}/f{m}" for n in range(3) for m in range(4)], "e/e/e", "z"])


@pytest.fixture(scope="module")
def account(stack: Stack) -> Account:
    made = stack.account()
    made.bucket()
    s3 = made.s3()
    for key in KEYS:
        s3.put_object(Bucket="docs", Key=key, Body=key.encode())
    return made


@pytest.fixture(scope="module")
def s3(account: Account) -> Any:
    return account.s3()


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def keys(answer: Any) -> list[str]:
    return [row["Key"] for row in answer.get("Contents", [])]


def prefixes(answer: Any) -> list[str]:
    return [row["Prefix"] for row in answer.get("CommonPrefixes", [])]


@pytest.mark.parametrize("name", ["list_objects_v2", "list_objects"])
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_pages_hold_every_key_once(s3: Any, name: str, size: int) -> None:
    pages = list(s3.get_paginator(name).paginate(Bucket="docs", PaginationConfig={"PageSize": size}))
    assert [key for page in pages for key in keys(page)] == KEYS
    assert all(len(keys(page)) <= size for page in pages)


@pytest.mark.parametrize("name", ["list_objects_v2", "list_objects"])
@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_delimiter_rolls_levels_up(s3: Any, name: str, size: int) -> None:
    pages = list(
        s3.get_paginator(name).paginate(Bucket="docs", Delimiter="/", PaginationConfig={"PageSize": size})
    )
    assert [key for page in pages for key in keys(page)] == ["a", "z"]
    assert [prefix for page in pages for prefix in prefixes(page)] == ["d0/", "d1/", "d2/", "e/"]


def test_prefix_start_and_owner(s3: Any, account: Account) -> None:
    answer = s3.list_objects_v2(Bucket="docs", Prefix="d1/", StartAfter="d1/f1", FetchOwner=True)
    assert keys(answer) == ["d1/f2", "d1/f3"]
    assert (answer["KeyCount"], answer["MaxKeys"], answer["IsTruncated"]) == (2, 1000, False)
    assert answer["Contents"][0]["Owner"]["ID"] == account.slug
    assert answer["Contents"][0]["ETag"] == s3.head_object(Bucket="docs", Key="d1/f2")["ETag"]
    assert keys(s3.list_objects_v2(Bucket="docs", MaxKeys=0)) == []
    assert keys(s3.list_objects(Bucket="docs", Marker="e/e/e")) == ["z"]
    assert prefixes(s3.list_objects_v2(Bucket="docs", Prefix="e/", Delimiter="/")) == ["e/e/"]


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("list_objects_v2", {"MaxKeys": -1}),
        ("list_objects_v2", {"ContinuationToken": "!"}),
        ("list_objects_v2", {"ContinuationToken": "AA=="}),
        ("list_objects_v2", {"EncodingType": "base64"}),
        ("list_objects", {"EncodingType": "base64"}),
    ],
)
def test_bad_questions(s3: Any, method: str, options: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(s3, method)(Bucket="docs", **options)
    assert code_of(caught) == ("InvalidArgument", 400)


def test_a_bucket_from_beginning_to_end(s3: Any) -> None:
    assert s3.create_bucket(Bucket="short-lived")["Location"] == "/short-lived"
    assert "short-lived" in [row["Name"] for row in s3.list_buckets()["Buckets"]]
    s3.head_bucket(Bucket="short-lived")
    assert s3.get_bucket_location(Bucket="short-lived")["LocationConstraint"] is None
    assert "Status" not in s3.get_bucket_versioning(Bucket="short-lived")
    s3.create_bucket(Bucket="short-lived")
    s3.put_object(Bucket="short-lived", Key="k", Body=b"x")
    with pytest.raises(ClientError) as caught:
        s3.delete_bucket(Bucket="short-lived")
    assert code_of(caught) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket="short-lived", Key="k")
    s3.delete_bucket(Bucket="short-lived")
    for call in (s3.head_bucket, s3.delete_bucket):
        with pytest.raises(ClientError) as caught:
            call(Bucket="short-lived")
        assert code_of(caught)[1] == 404
    s3.create_bucket(Bucket="short-lived", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_object(Bucket="short-lived", Key="k", Body=b"again")
    assert s3.get_object(Bucket="short-lived", Key="k")["Body"].read() == b"again"


@pytest.mark.parametrize("name", ["Upper-Case", "ab", "a..b", "192.168.0.1", "-a-b", "x" * 64])
def test_bucket_names_that_cannot_be(s3: Any, name: str) -> None:
    s3 = _unchecked(s3)
    with pytest.raises(ClientError) as caught:
        s3.create_bucket(Bucket=name)
    assert code_of(caught) == ("InvalidBucketName", 400)


def _unchecked(s3: Any) -> Any:
    """boto3 refuses odd names by itself; here it is the server's turn."""
    from botocore.handlers import validate_bucket_name

    s3.meta.events.unregister("before-parameter-build.s3", validate_bucket_name)
    return s3


@pytest.mark.parametrize("quiet", [False, True])
def test_many_are_deleted_at_once(account: Account, quiet: bool) -> None:
    s3 = account.s3()
    account.bucket(f"many-{quiet}".lower())
    names = [f"k{n:04}/ü&<>" for n in range(50)]
    for name in names:
        s3.put_object(Bucket=f"many-{quiet}".lower(), Key=name, Body=b"")
    doomed = [{"Key": name} for name in [*names, "never-was"]]
    answer = s3.delete_objects(Bucket=f"many-{quiet}".lower(), Delete={"Objects": doomed, "Quiet": quiet})
    assert [row["Key"] for row in answer.get("Deleted", [])] == (
        [] if quiet else [row["Key"] for row in doomed]
    )
    assert "Errors" not in answer
    assert s3.list_objects_v2(Bucket=f"many-{quiet}".lower())["KeyCount"] == 0
