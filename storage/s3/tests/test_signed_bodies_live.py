"""Signed chunks, trailers and Signature Version 2 through the front door, over our own store and other people's."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from botocore.exceptions import ClientError

from gateway.db.scope import platform_scope
from storage.models import Object
from storage.s3 import sigv4
from storage.s3.tests.chunks import Chunked, body
from storage.s3.tests.signer import Reply, call, send, signed
from tests.stack import Account, Stack

CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
TRAILER = f"{CHUNKS}-TRAILER"
CONTENT = os.urandom(200_000)
CRC32 = base64.b64encode(zlib.crc32(CONTENT).to_bytes(4, "big")).decode()
Bend = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def account(stack: Stack, moto: str, rclone: str) -> Account:
    made = stack.account()
    made.bucket("docs")
    made.bucket("moto", backend=moto)
    made.bucket("rclone", backend=rclone)
    return made


def put(
    account: Account,
    target: str,
    content: bytes = CONTENT,
    *,
    trailer: str | None = None,
    bend: Bend | None = None,
    decoded: int | None = None,
) -> Reply:
    """Upload in signed chunks of 64 KiB, `bend` applied to the body once it is signed."""
    headers = {
        "Content-Encoding": "aws-chunked",
        "X-Amz-Decoded-Content-Length": str(decoded or len(content)),
    }
    if trailer is not None:
        headers["X-Amz-Trailer"] = trailer.partition(":")[0]
    payload = CHUNKS if trailer is None else TRAILER
    sent = signed(account, "PUT", target, headers=headers, payload=payload)
    scope = sent["Authorization"].partition("Credential=")[2].partition(",")[0].partition("/")[2]
    date, region, service, _ = scope.split("/")
    key = sigv4.signing_key(account.secret, date, region, service)
    signer = Chunked(key, sent["X-Amz-Date"], scope, sent["Authorization"].rpartition("Signature=")[2])
    chunks = [content[at : at + 65536] for at in range(0, len(content), 65536)]
    wire = body(signer, chunks, trailer)
    return send(account, "PUT", target, sent, bend(wire) if bend else wire)


def stored(account: Account, key: str) -> bool:
    with account.stack.database(), platform_scope("tests"):
        return Object.objects.filter(tenant=account.who.tenant, key=key).exists()


def blobs(account: Account) -> set[str]:
    return {str(path) for path in (account.stack.home / "blobs").rglob("*") if path.is_file()}


@pytest.mark.parametrize("bucket", ["docs", "moto", "rclone"])
@pytest.mark.parametrize("trailer", [None, f"x-amz-checksum-crc32:{CRC32}"], ids=["plain", "trailer"])
def test_signed_chunks_are_stored(account: Account, bucket: str, trailer: str | None) -> None:
    reply = put(account, f"/s3/{bucket}/k", trailer=trailer)
    assert reply.status == 200, reply.body
    assert reply.headers["etag"] == f'"{hashlib.md5(CONTENT).hexdigest()}"'
    if trailer:
        assert reply.headers["x-amz-checksum-crc32"] == CRC32
    got = call(account, "GET", f"/s3/{bucket}/k")
    assert got.body == CONTENT
    assert got.headers["content-encoding"] is None


def test_nothing_in_chunks(account: Account) -> None:
    assert put(account, "/s3/docs/nothing", b"").status == 200
    assert call(account, "GET", "/s3/docs/nothing").body == b""


def test_a_part_in_signed_chunks(account: Account) -> None:
    s3 = account.s3()
    upload = s3.create_multipart_upload(Bucket="docs", Key="parts", ChecksumAlgorithm="CRC32")["UploadId"]
    target = f"/s3/docs/parts?partNumber=1&uploadId={upload}"
    trailer = f"x-amz-checksum-crc32:{CRC32}"
    refused = put(
        account, target, trailer=trailer, bend=lambda wire: wire.replace(CONTENT[:64], CONTENT[1:65])
    )
    assert (refused.status, refused.code) == (403, "SignatureDoesNotMatch")
    assert "Parts" not in s3.list_parts(Bucket="docs", Key="parts", UploadId=upload)
    assert put(account, target, trailer=trailer).status == 200
    [part] = s3.list_parts(Bucket="docs", Key="parts", UploadId=upload)["Parts"]
    assert (part["Size"], part["ChecksumCRC32"]) == (len(CONTENT), CRC32)
    s3.abort_multipart_upload(Bucket="docs", Key="parts", UploadId=upload)


def chunk_end(wire: bytes) -> int:
    """Where the first chunk ends."""
    return wire.index(b"\r\n") + 2 + 65536 + 2


BENT: list[tuple[str, Bend, str]] = [
    ("data", lambda wire: wire.replace(CONTENT[70_000:70_064], bytes(64)), "SignatureDoesNotMatch"),
    ("last data", lambda wire: wire.replace(CONTENT[-64:], bytes(64)), "SignatureDoesNotMatch"),
    ("signature", lambda wire: wire.replace(wire[22:86], b"0" * 64), "SignatureDoesNotMatch"),
    ("left out", lambda wire: wire[chunk_end(wire) :], "SignatureDoesNotMatch"),
    ("twice", lambda wire: wire[: chunk_end(wire)] + wire, "SignatureDoesNotMatch"),
    ("no signature", lambda wire: wire.replace(wire[5:86], b""), "IncompleteBody"),
    ("extension", lambda wire: wire.replace(b";chunk", b";a=b;chunk", 1), "IncompleteBody"),
    ("size", lambda wire: b"x" + wire[1:], "IncompleteBody"),
    ("larger", lambda wire: b"10001" + wire[5:], "IncompleteBody"),
    ("long line", lambda wire: b"0" * 2000 + wire, "IncompleteBody"),
    ("no last chunk", lambda wire: wire[: wire.rindex(b"0;chunk")], "IncompleteBody"),
    ("no last crlf", lambda wire: wire[:-2], "IncompleteBody"),
    ("cut", lambda wire: wire[:100_000], "IncompleteBody"),
    ("more", lambda wire: wire + b"more", "IncompleteBody"),
]


@pytest.mark.parametrize(("bend", "code"), [case[1:] for case in BENT], ids=[case[0] for case in BENT])
@pytest.mark.parametrize("bucket", ["docs", "moto", "rclone"])
def test_a_broken_body_stores_nothing(account: Account, bucket: str, bend: Bend, code: str) -> None:
    before = blobs(account)
    reply = put(account, f"/s3/{bucket}/broken", bend=bend)
    assert reply.code == code
    assert reply.status == (403 if code == "SignatureDoesNotMatch" else 400)
    assert not stored(account, "broken")
    assert call(account, "GET", f"/s3/{bucket}/broken").status == 404
    assert not blobs(account) - before


@pytest.mark.parametrize(
    ("trailer", "code"),
    [
        ("x-amz-checksum-crc32:AAAAAA==", "BadDigest"),
        ("x-amz-checksum-crc32:AAAA", "InvalidRequest"),
        ("x-amz-checksum-crc99:AAAAAA==", "InvalidRequest"),
        ("x-amz-meta-a:b", "InvalidRequest"),
    ],
)
def test_a_signed_trailer_that_is_wrong(account: Account, trailer: str, code: str) -> None:
    reply = put(account, "/s3/docs/broken", trailer=trailer)
    assert reply.status == 400
    assert reply.code in (code, "BadDigest")
    assert not stored(account, "broken")


def test_a_trailer_must_be_the_announced_one(account: Account) -> None:
    unsigned = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    wire = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    for announced, sent in (
        (None, wire),
        ("x-amz-checksum-crc32c", wire),
        ("x-amz-checksum-crc32", b"5\r\nhello\r\n0\r\n\r\n"),
    ):
        headers = {"X-Amz-Decoded-Content-Length": "5"} | ({"X-Amz-Trailer": announced} if announced else {})
        reply = call(account, "PUT", "/s3/docs/broken", sent, payload=unsigned, headers=headers)
        assert (reply.status, reply.code) == (400, "MalformedTrailerError")
    assert not stored(account, "broken")


def test_the_announced_content_must_come(account: Account) -> None:
    for decoded in (len(CONTENT) - 1, len(CONTENT) + 1):
        reply = put(account, "/s3/docs/broken", decoded=decoded)
        assert (reply.status, reply.code) == (400, "IncompleteBody")
    assert not stored(account, "broken")


def test_nobody_can_sign_chunks_without_signing_the_request(account: Account) -> None:
    reply = send(account, "PUT", "/s3/docs/broken", {"x-amz-content-sha256": CHUNKS}, b"0\r\n\r\n")
    assert (reply.status, reply.code) == (403, "AccessDenied")
    url = v2(account).generate_presigned_url(
        "put_object", Params={"Bucket": "docs", "Key": "broken"}, ExpiresIn=60
    )
    answer = requests.put(url, data=b"0\r\n\r\n", headers={"x-amz-content-sha256": CHUNKS}, timeout=30)
    assert answer.status_code == 403


def v2(account: Account) -> Any:
    return account.s3(signature_version="s3")


@pytest.mark.parametrize("bucket", ["docs", "moto"])
def test_signature_version_2(account: Account, bucket: str) -> None:
    s3 = v2(account)
    put = s3.put_object(
        Bucket=bucket, Key="a b/ü+", Body=b"content", Metadata={"a": "1"}, ContentType="text/x"
    )
    got = s3.get_object(Bucket=bucket, Key="a b/ü+")
    assert (got["Body"].read(), got["ETag"]) == (b"content", put["ETag"])
    assert (got["Metadata"], got["ContentType"]) == ({"a": "1"}, "text/x")
    [row] = s3.list_objects_v2(Bucket=bucket, Prefix="a b")["Contents"]
    assert row["Key"] == "a b/ü+"
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a b/ü+"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload=parts)
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in ("copy", "m", "a b/ü+")]})
    assert s3.list_objects(Bucket=bucket, Prefix="a b").get("Contents") is None
    assert bucket in [each["Name"] for each in s3.list_buckets()["Buckets"]]


def test_boto3_presigns_with_version_2_by_default(account: Account) -> None:
    s3 = account.s3()
    where = {"Bucket": "docs", "Key": "presigned ü"}
    put_url, get_url, head_url, delete_url = (
        s3.generate_presigned_url(f"{verb}_object", Params=where, ExpiresIn=60)
        for verb in ("put", "get", "head", "delete")
    )
    assert "AWSAccessKeyId=" in put_url
    assert requests.put(put_url, data=b"content", timeout=30).status_code == 200
    got = requests.get(get_url, timeout=30)
    assert (got.status_code, got.content) == (200, b"content")
    assert requests.head(head_url, timeout=30).headers["content-length"] == "7"
    other = s3.generate_presigned_url(
        "get_object", Params={**where, "ResponseContentType": "text/x", "ResponseContentLanguage": "a b"}
    )
    assert requests.get(other, timeout=30).headers["content-type"] == "text/x"
    changed = other.replace("text%2Fx", "text%2Fhtml")
    assert changed != other
    assert requests.get(changed, timeout=30).status_code == 403
    # A URL of ours does for one method, one key, and nothing that is added to it.
    assert requests.delete(get_url, timeout=30).status_code == 403
    assert requests.get(get_url.replace("presigned", "other"), timeout=30).status_code == 403
    copied = requests.put(put_url, headers={"x-amz-copy-source": "/docs/k"}, timeout=30)
    assert (copied.status_code, "SignatureDoesNotMatch" in copied.text) == (403, True)
    assert requests.put(put_url + "&x-amz-copy-source=/docs/k", timeout=30).status_code == 403
    assert requests.put(put_url + "&tagging", data=b"<Tagging/>", timeout=30).status_code == 403
    assert requests.get(get_url, timeout=30).content == b"content"
    assert requests.delete(delete_url, timeout=30).status_code == 204
    assert requests.get(get_url, timeout=30).status_code == 404


@pytest.mark.parametrize(("version", "seconds"), [("s3", -7), ("s3", 609_901), ("s3v4", 609_901)])
def test_a_presigned_url_ends(account: Account, version: str, seconds: int) -> None:
    s3 = account.s3(signature_version=version)
    url = s3.generate_presigned_url(
        "get_object", Params={"Bucket": "docs", "Key": "absent"}, ExpiresIn=seconds
    )
    answer = requests.get(url, timeout=30)
    if version == "s3" and seconds > 0:
        assert answer.status_code == 404  # which knew no longest time
    elif seconds > 0:
        assert answer.status_code == 400
        assert "<Code>AuthorizationQueryParametersError</Code>" in answer.text
    else:
        assert answer.status_code == 403
        assert "<Code>AccessDenied</Code><Message>Request has expired</Message>" in answer.text


def test_version_2_at_the_domain_and_as_virtual_host(account: Account, stack: Stack) -> None:
    """The name does not resolve everywhere; what was signed does not name the host, so the Host header can be set."""
    client = account.s3(signature_version="s3", s3={"addressing_style": "virtual"})
    url = client.generate_presigned_url("put_object", Params={"Bucket": "docs", "Key": "v"}, ExpiresIn=60)
    query = urlsplit(url).query
    for host, path in (("docs.s3.localhost", "/v"), ("s3.localhost", "/docs/v")):
        answer = requests.put(
            f"{stack.url}{path}?{query}", data=b"v", headers={"Host": f"{host}:{stack.port}"}, timeout=30
        )
        assert answer.status_code == 200, answer.text
    other = requests.put(
        f"{stack.url}/v?{query}", data=b"v", headers={"Host": f"moto.s3.localhost:{stack.port}"}, timeout=30
    )
    assert other.status_code == 403


def test_a_wrong_secret_in_version_2(account: Account) -> None:
    s3 = account.stack.account().s3(signature_version="s3", retries={"max_attempts": 1})
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.get_object(Bucket="docs", Key="k")
    s3 = account.s3(signature_version="s3")
    s3._request_signer._credentials.secret_key = "x"
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        s3.get_object(Bucket="docs", Key="k")
