"""Backends that refuse, fail or are gone: what clients are told of it, and how soon everybody knows."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from gateway.db.scope import platform_scope
from storage.models import Backend
from tenants.services import snapshot
from tests.ports import free_port
from tests.stack import Account, Stack

from .accessors import eventually, outcome
from .unruly import Unruly

WHICH = {"Bucket": "docs", "Key": "k"}


@pytest.fixture(scope="module")
def account(stack: Stack, unruly: Unruly) -> Account:
    made = stack.account()
    made.bucket("docs", backend=unruly.name)
    return made


@pytest.fixture
def s3(account: Account, far: Unruly) -> Any:
    return account.s3(retries={"max_attempts": 0})


def digest(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        ((400, "EntityTooLarge"), "EntityTooLarge"),
        ((400, "BadDigest"), "BadDigest"),
        ((400, "InvalidDigest"), "InvalidDigest"),
        ((400, "SomethingOfItsOwn"), "InvalidRequest"),
        ((403, "InvalidAccessKeyId"), "ServiceUnavailable"),
    ],
)
def test_a_refusal_is_told_as_what_it_is(s3: Any, far: Unruly, refusal: tuple[int, str], told: str) -> None:
    far.refusal, far.mood = refusal, "refuses"
    assert outcome(s3.put_object, **WHICH, Body=b"hello", ContentMD5=digest(b"hello")) == told


def test_a_wrong_digest_never_gets_there(s3: Any, far: Unruly) -> None:
    assert outcome(s3.put_object, **WHICH, Body=b"hello", ContentMD5=digest(b"other")) == "BadDigest"
    assert not far.objects


def test_a_large_body_passes_by_the_edge_and_its_backend_compares(s3: Any, far: Unruly) -> None:
    body = b"x" * (2 << 20)
    assert outcome(s3.put_object, **WHICH, Body=body, ContentMD5=digest(body)) == "ok"
    far.refusal, far.mood = (400, "BadDigest"), "refuses"
    assert outcome(s3.put_object, **WHICH, Body=body, ContentMD5=digest(b"other")) == "BadDigest"


def doubted(stack: Stack, name: str, endpoint: str, call: Callable[[], Any]) -> None:
    """Whether `call` has the backend, which is now at `endpoint`, tested soon."""
    row = backend(stack, name)
    before = row.endpoint
    with stack.database(), platform_scope("tests"):
        later = {
            "checked_at": timezone.now() - timedelta(hours=1),
            "next_check_at": timezone.now() + timedelta(hours=5),
        }
        Backend.objects.filter(pk=row.pk).update(endpoint=endpoint or before, **later)
        snapshot.changed("backends")
    try:
        eventually(lambda: call() != "ok" and backend(stack, name).next_check_at <= timezone.now())
    finally:
        with stack.database(), platform_scope("tests"):
            Backend.objects.filter(pk=row.pk).update(endpoint=before)
            snapshot.changed("backends")


def backend(stack: Stack, name: str) -> Backend:
    with stack.database(), platform_scope("tests"):
        return Backend.objects.get(name=name)


@pytest.mark.parametrize("operation", ["get_object", "put_object", "delete_object"])
def test_one_that_is_gone_is_tested_soon(stack: Stack, s3: Any, far: Unruly, operation: str) -> None:
    port = free_port()
    body = {"Body": b"x"} if operation == "put_object" else {}
    doubted(
        stack, far.name, f"http://127.0.0.1:{port}", lambda: outcome(getattr(s3, operation), **WHICH, **body)
    )


@pytest.mark.parametrize("operation", ["get_object", "put_object", "delete_object"])
def test_one_that_knows_our_key_no_more_is_tested_soon(
    stack: Stack, s3: Any, far: Unruly, operation: str
) -> None:
    far.refusal, far.mood = (403, "InvalidAccessKeyId"), "refuses"
    body = {"Body": b"x"} if operation == "put_object" else {}
    doubted(stack, far.name, "", lambda: outcome(getattr(s3, operation), **WHICH, **body))


def test_an_answer_that_comes_in_pieces_is_read_to_its_end(s3: Any) -> None:
    which: dict[str, Any] = {"Bucket": "docs", "Key": "joined"}
    upload = {**which, "UploadId": s3.create_multipart_upload(**which)["UploadId"]}
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"hello")["ETag"]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert s3.get_object(**which)["Body"].read() == b"hello"


def test_an_upload_whose_end_fails_there_can_be_ended_again(s3: Any, far: Unruly) -> None:
    which = {"Bucket": "docs", "Key": "given-up"}
    which["UploadId"] = s3.create_multipart_upload(**which)["UploadId"]
    far.mood = "500"
    assert outcome(s3.abort_multipart_upload, **which) == "ServiceUnavailable"
    far.mood = "well"
    assert outcome(s3.abort_multipart_upload, **which) == "ok"
    assert outcome(s3.abort_multipart_upload, **which) == "NoSuchUpload"


def test_an_upload_that_its_backend_knows_no_more_is_over(s3: Any, far: Unruly) -> None:
    """As when the process was killed after the backend had joined the parts, and the client asks again."""
    which: dict[str, Any] = {"Bucket": "docs", "Key": "ended-there"}
    upload = {**which, "UploadId": s3.create_multipart_upload(**which)["UploadId"]}
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"hello")["ETag"]
    lines = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    far.refusal, far.mood = (404, "NoSuchUpload"), "refuses"
    assert outcome(s3.complete_multipart_upload, **upload, MultipartUpload=lines) == "NoSuchUpload"
    assert not s3.list_multipart_uploads(Bucket="docs", Prefix="ended-there").get("Uploads")


@pytest.mark.parametrize("there", [b"shorter", b"longer " * 10_000], ids=["shorter", "longer"])
def test_a_copy_is_never_of_another_length_than_it_says(s3: Any, far: Unruly, there: bytes) -> None:
    source = {"Bucket": "docs", "Key": f"source-{len(there)}"}
    s3.put_object(**source, Body=b"x" * 20_000)
    [path] = [path for path in far.objects if path.endswith(source["Key"])]
    far.objects[path] = (there, far.objects[path][1])
    copied = {"Bucket": "docs", "Key": f"copy-{len(there)}"}
    assert outcome(s3.copy_object, **copied, CopySource=source) == "ServiceUnavailable"
    assert not any(path.endswith(copied["Key"]) for path in far.objects)
    assert outcome(s3.get_object, **copied) == "NoSuchKey"
