"""CopyObject and UploadPartCopy: directives, sources named in every way, ranges, and what is refused."""

from __future__ import annotations

import os
from typing import Any

import pytest

from storage.s3.tests.outcomes import refusal
from storage.s3.tests.signer import call
from tests.stack import Account, Stack

BODY = os.urandom(100_000)
DESCRIBED = {
    "ContentType": "a/b",
    "CacheControl": "no-cache",
    "Metadata": {"a": "1"},
    "WebsiteRedirectLocation": "/elsewhere",
}


@pytest.fixture(scope="module")
def account(stack: Stack) -> Account:
    made = stack.account()
    made.bucket()
    return made


@pytest.fixture(scope="module")
def s3(account: Account) -> Any:
    return account.s3()


@pytest.mark.parametrize("body", [b"", b"small", BODY], ids=len)
def test_what_a_copy_takes_along(s3: Any, body: bytes) -> None:
    source = {"Bucket": "docs", "Key": "ü ?+%/source"}
    put = s3.put_object(**source, Body=body, **DESCRIBED)
    assert s3.get_object(**source)["WebsiteRedirectLocation"] == "/elsewhere"
    copied = s3.copy_object(Bucket="docs", Key="same", CopySource=source)["CopyObjectResult"]
    assert (copied["ETag"], copied["ChecksumCRC32"]) == (put["ETag"], put["ChecksumCRC32"])
    got = s3.get_object(Bucket="docs", Key="same")
    assert (got["Body"].read(), got["ContentType"], got["CacheControl"]) == (body, "a/b", "no-cache")
    assert got["Metadata"] == {"a": "1"}
    assert "WebsiteRedirectLocation" not in got
    s3.copy_object(
        Bucket="docs",
        Key="other",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"b": "2"},
        ContentType="c/d",
        ChecksumAlgorithm="SHA256",
    )
    got = s3.get_object(Bucket="docs", Key="other")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (body, "c/d", {"b": "2"})
    assert "CacheControl" not in got
    assert "ChecksumSHA256" in got


def test_copies_to_itself(s3: Any) -> None:
    which = {"Bucket": "docs", "Key": "self"}
    s3.put_object(**which, Body=BODY, Metadata={"a": "1"})
    assert refusal(s3.copy_object, **which, CopySource=which) == (400, "InvalidRequest")
    s3.copy_object(**which, CopySource=which, MetadataDirective="REPLACE", Metadata={"b": "2"})
    s3.copy_object(**which, CopySource=which, WebsiteRedirectLocation="https://x/")
    s3.copy_object(**which, CopySource=which, ServerSideEncryption="AES256")
    got = s3.get_object(**which)
    assert (got["Body"].read(), got["Metadata"], got["ServerSideEncryption"]) == (BODY, {"b": "2"}, "AES256")


def test_what_copies_refuse(account: Account, s3: Any) -> None:
    source = {"Bucket": "docs", "Key": "source"}
    s3.put_object(**source, Body=b"12345")
    which = {"Bucket": "docs", "Key": "refused"}
    nowhere = {"Bucket": "nowhere", "Key": "source"}
    assert refusal(s3.copy_object, **which, CopySource=nowhere) == (404, "NoSuchBucket")
    nobody = {"Bucket": "docs", "Key": "nobody"}
    assert refusal(s3.copy_object, **which, CopySource=nobody) == (404, "NoSuchKey")
    for name in ("MetadataDirective", "TaggingDirective"):
        assert refusal(s3.copy_object, **which, CopySource=source, **{name: "MOVE"}) == (
            400,
            "InvalidArgument",
        )
    for header in ("docs", "/docs/", "/", "docs/source?versionId="):
        headers = {"x-amz-copy-source": header}
        assert call(account, "PUT", "/s3/docs/refused", headers=headers).code == "InvalidArgument"
    assert refusal(s3.head_object, **which)[0] == 404


def test_ranges_of_parts(s3: Any) -> None:
    source = {"Bucket": "docs", "Key": "ranged"}
    s3.put_object(**source, Body=BODY)
    which = {"Bucket": "docs", "Key": "parts"}
    upload = {**which, "UploadId": s3.create_multipart_upload(**which)["UploadId"]}
    part = {**upload, "PartNumber": 1, "CopySource": source}
    for text in ("0-2", "bytes=0", "bytes=a-b", "bytes=0-", "bytes=-3", "bytes=0-2,3-5", "bytes=5-2"):
        assert refusal(s3.upload_part_copy, **part, CopySourceRange=text) == (400, "InvalidArgument")
    beyond = f"bytes=0-{len(BODY)}"
    assert refusal(s3.upload_part_copy, **part, CopySourceRange=beyond) == (416, "InvalidRange")
    done = s3.upload_part_copy(**part, CopySourceRange="bytes=10-99")["CopyPartResult"]
    lines = {"Parts": [{"PartNumber": 1, "ETag": done["ETag"]}]}
    s3.complete_multipart_upload(**upload, MultipartUpload=lines)
    assert s3.get_object(**which)["Body"].read() == BODY[10:100]
    assert refusal(s3.upload_part_copy, **part) == (404, "NoSuchUpload")
