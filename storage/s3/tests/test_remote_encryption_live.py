"""Encryption by backends: asked for where they can, refused where they cannot, never half-done."""

from __future__ import annotations

from typing import Any

import pytest

from storage.s3.tests.outcomes import refusal
from tests.stack import Account

from .accessors import outcome

DEFAULT = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
UNABLE = (501, "NotImplemented")


@pytest.fixture(scope="module")
def s3(account: Account) -> Any:
    return account.s3()


def test_a_default_is_asked_for_with_each_write(account: Account, s3: Any, backend: str) -> None:
    name = account.bucket("sealed", backend=backend)
    wanted = {"Bucket": name, "ServerSideEncryptionConfiguration": DEFAULT}
    if backend == "rclone":
        assert refusal(s3.put_bucket_encryption, **wanted) == UNABLE
        return
    if backend == "radosgw" and outcome(s3.put_bucket_encryption, **wanted) == "NotImplemented":
        pytest.skip("this gateway has no keys to encrypt with")
    s3.put_object(Bucket=name, Key="before", Body=b"x")
    s3.put_bucket_encryption(**wanted)
    made = [s3.put_object(Bucket=name, Key="put", Body=b"x")]
    made.append(s3.copy_object(Bucket=name, Key="copied", CopySource=f"{name}/before"))
    upload = {"Bucket": name, "Key": "joined"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    made += [s3.head_object(Bucket=name, Key=key) for key in ("put", "copied", "joined")]
    assert [answer.get("ServerSideEncryption") for answer in made] == ["AES256"] * 5


def test_a_copy_of_what_a_customers_key_seals(s3: Any, backend: str) -> None:
    told = {"Algorithm": "AES256", "Key": "0123456789abcdef" * 2}
    sealed = {f"SSECustomer{name}": value for name, value in told.items()}
    opening = {f"CopySource{name}": value for name, value in sealed.items()}
    source = {"Bucket": "docs", "Key": "sealed"}
    made = outcome(s3.put_object, **source, Body=b"secret", **sealed)
    if made != "ok":
        assert made == "NotImplemented"
        s3.put_object(**source, Body=b"plain")
        copy = {"Bucket": "local", "Key": "copy", "CopySource": source}
        assert refusal(s3.copy_object, **copy, **opening) == UNABLE
        assert outcome(s3.get_object, Bucket="local", Key="copy") == "NoSuchKey"
        return
    for bucket in ("docs", "local"):
        copy = {"Bucket": bucket, "Key": "copy", "CopySource": source}
        assert outcome(s3.copy_object, **copy) == "InvalidRequest"
        assert outcome(s3.get_object, Bucket=bucket, Key="copy") == "NoSuchKey"
        s3.copy_object(**copy, **opening)
        assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"secret"
