"""Encrypted objects through the real edge: what clients see, what lies on the disk, and what damage does."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import pytest
from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError

from storage.s3.tests.test_objects_live import code_of
from tests.stack import Account, Stack

KEY, OTHER = os.urandom(32), os.urandom(32)
MARK = b"nobody may read this. "
LARGE = MARK * 20_000
PART = MARK * 240_000  # 5 MiB and a bit, no multiple of a frame
CUSTOMER = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": KEY}
SOURCE = {"CopySourceSSECustomerAlgorithm": "AES256", "CopySourceSSECustomerKey": KEY}


@pytest.fixture(scope="module")
def account(stack: Stack) -> Account:
    made = stack.account()
    made.bucket("sealed")
    return made


@pytest.fixture(scope="module")
def s3(account: Account) -> Any:
    return account.s3(https=True)


def body_of(s3: Any, key: str, **options: Any) -> bytes:
    read: bytes = s3.get_object(Bucket="sealed", Key=key, **options)["Body"].read()
    return read


@pytest.mark.parametrize("body", [b"", MARK, LARGE], ids=["empty", "small", "large"])
def test_with_our_keys(s3: Any, body: bytes) -> None:
    put = s3.put_object(Bucket="sealed", Key="ours", Body=body, ServerSideEncryption="AES256")
    assert (put["ServerSideEncryption"], put["ETag"]) == ("AES256", f'"{hashlib.md5(body).hexdigest()}"')
    got = s3.get_object(Bucket="sealed", Key="ours", ChecksumMode="ENABLED")
    assert (got["Body"].read(), got["ServerSideEncryption"], got["ETag"]) == (body, "AES256", put["ETag"])
    head = s3.head_object(Bucket="sealed", Key="ours")
    assert (head["ContentLength"], head["ServerSideEncryption"]) == (len(body), "AES256")


def test_ranges_of_a_sealed_object(s3: Any) -> None:
    body = os.urandom(300_000)
    s3.put_object(Bucket="sealed", Key="ranges", Body=body, ServerSideEncryption="AES256")
    for first, last in ((0, 0), (65_535, 65_536), (131_072, 196_607), (1, 299_998), (299_999, 299_999)):
        got = s3.get_object(Bucket="sealed", Key="ranges", Range=f"bytes={first}-{last}")
        assert got["Body"].read() == body[first : last + 1]
        assert got["ContentRange"] == f"bytes {first}-{last}/300000"
    assert body_of(s3, "ranges", Range="bytes=-7") == body[-7:]


@pytest.mark.parametrize("body", [MARK, LARGE], ids=["small", "large"])
def test_with_the_customers_key(s3: Any, body: bytes) -> None:
    put = s3.put_object(Bucket="sealed", Key="theirs", Body=body, **CUSTOMER)
    assert put["ETag"] != f'"{hashlib.md5(body).hexdigest()}"'
    assert put["SSECustomerAlgorithm"] == "AES256"
    assert body_of(s3, "theirs", **CUSTOMER) == body
    assert s3.head_object(Bucket="sealed", Key="theirs", **CUSTOMER)["ContentLength"] == len(body)
    for wrong in ({}, CUSTOMER | {"SSECustomerKey": OTHER}):
        with pytest.raises(ClientError) as caught:
            s3.get_object(Bucket="sealed", Key="theirs", **wrong)
        assert code_of(caught) == ("InvalidRequest", 400)
        with pytest.raises(ClientError) as caught:
            s3.head_object(Bucket="sealed", Key="theirs", **wrong)
        assert code_of(caught)[1] == 400


@pytest.mark.parametrize("sealing", [{"ServerSideEncryption": "AES256"}, CUSTOMER], ids=["ours", "theirs"])
def test_uploads_in_parts(s3: Any, sealing: dict[str, Any]) -> None:
    again = sealing if sealing is CUSTOMER else {}
    made = s3.create_multipart_upload(Bucket="sealed", Key="parts", **sealing)
    upload = {"Bucket": "sealed", "Key": "parts", "UploadId": made["UploadId"]}
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=body, **again)["ETag"]}
        for n, body in ((1, PART), (2, PART), (5, b"tail"))
    ]
    if again:
        with pytest.raises(ClientError) as caught:
            s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        assert code_of(caught) == ("InvalidRequest", 400)
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **again)
    whole = PART + PART + b"tail"
    assert body_of(s3, "parts", **again) == whole
    edge = len(PART)
    assert body_of(s3, "parts", Range=f"bytes={edge - 5}-{edge + 5}", **again) == whole[edge - 5 : edge + 6]
    assert body_of(s3, "parts", Range=f"bytes={2 * edge - 2}-", **again) == whole[2 * edge - 2 :]


def test_copies_seal_and_unseal(s3: Any) -> None:
    s3.put_object(Bucket="sealed", Key="plain", Body=LARGE)
    where: dict[str, Any] = {"Bucket": "sealed"}
    s3.copy_object(**where, Key="a", CopySource="sealed/plain", ServerSideEncryption="AES256")
    s3.copy_object(**where, Key="b", CopySource="sealed/a", **CUSTOMER)
    s3.copy_object(**where, Key="c", CopySource="sealed/b", **SOURCE)
    s3.copy_object(**where, Key="d", CopySource="sealed/a", ServerSideEncryption="AES256")
    assert body_of(s3, "a") == body_of(s3, "b", **CUSTOMER) == body_of(s3, "c") == body_of(s3, "d") == LARGE
    assert s3.head_object(**where, Key="d")["ServerSideEncryption"] == "AES256"
    assert "ServerSideEncryption" not in s3.head_object(**where, Key="c")
    with pytest.raises(ClientError) as caught:
        s3.copy_object(**where, Key="e", CopySource="sealed/b")
    assert code_of(caught) == ("InvalidRequest", 400)


def test_a_bucket_that_seals_by_itself(account: Account, s3: Any) -> None:
    account.bucket("always")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket="always", ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert s3.put_object(Bucket="always", Key="k", Body=LARGE)["ServerSideEncryption"] == "AES256"
    got = s3.get_object(Bucket="always", Key="k")
    assert (got["Body"].read(), got["ServerSideEncryption"]) == (LARGE, "AES256")


def test_nothing_of_it_lies_on_the_disk(stack: Stack, s3: Any) -> None:
    before = set((stack.home / "blobs").rglob("*"))
    s3.put_object(Bucket="sealed", Key="disk", Body=LARGE, ServerSideEncryption="AES256")
    [path] = set((stack.home / "blobs").rglob("*")) - before
    assert MARK not in path.read_bytes()
    with path.open("r+b") as file:
        file.seek(300_000)
        file.write(b"damage")
    assert body_of(s3, "disk", Range="bytes=0-99999") == LARGE[:100_000]
    with pytest.raises((ClientError, IncompleteReadError, ResponseStreamingError)):
        body_of(s3, "disk")
    path.unlink()
    with pytest.raises(ClientError) as caught:
        body_of(s3, "disk")
    assert code_of(caught) == ("ServiceUnavailable", 503)
