"""Bad input at the S3 door: the right XML, never a 500, nothing half-written."""

from __future__ import annotations

import base64
import hashlib
import socket
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import transaction

from gateway.db.scope import platform_scope, tenant_scope
from storage.models import AccessKey, Object
from storage.s3.tests.signer import Reply, call, send, send_half, signed
from storage.services import access_keys
from tenants.models import Membership, Tenant
from tenants.services import quotas, tenants, users
from tests import factories
from tests.instance import until
from tests.stack import Account, Stack

MIB = 1 << 20
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

MD5 = "XUFAKrxLKna5cZ2REBfFkg=="
CRC32 = "x-amz-checksum-crc32"
ENTITIES = b'<!DOCTYPE a [<!ENTITY b "c">]><Delete>&b;</Delete>'

NO_ACL = "AccessControlListNotSupported"


def digested(body: bytes) -> dict[str, Any]:
    """A body with its MD5."""
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    return {"body": body, "headers": {"Content-MD5": digest}}


@pytest.fixture(scope="module")
def account(stack: Stack) -> Account:
    made = stack.account()
    made.bucket()
    assert call(made, "PUT", "/s3/docs/there", b"content").status == 200
    return made


@pytest.fixture(scope="module")
def stranger(stack: Stack) -> Account:
    """Of another tenant, with a bucket and an object of their own."""
    made = stack.account()
    made.bucket("theirs")
    assert call(made, "PUT", "/s3/theirs/secret", b"secret").status == 200
    return made


BAD: list[tuple[str, str, str, dict[str, Any], int, str]] = [
    ("anonymous", "GET", "/s3/docs/there", {"bare": {}}, 403, "AccessDenied"),
    ("wrong secret", "GET", "/s3/docs/there", {"secret": "x"}, 403, "SignatureDoesNotMatch"),
    ("unknown key", "GET", "/s3/docs/there", {"key_id": "GHAAAAAAAAAAAAAAAAAA"}, 403, "InvalidAccessKeyId"),
    ("late", "GET", "/s3/docs/there", {"skew": timedelta(minutes=-16)}, 403, "RequestTimeTooSkewed"),
    ("early", "GET", "/s3/docs/there", {"skew": timedelta(minutes=16)}, 403, "RequestTimeTooSkewed"),
    ("bearer", "GET", "/s3/docs/there", {"bare": {"Authorization": "Bearer x"}}, 400, "InvalidArgument"),
    ("one word", "GET", "/s3/docs/there", {"bare": {"Authorization": "x"}}, 400, "InvalidArgument"),
    ("no word", "GET", "/s3/docs/there", {"bare": {"Authorization": ""}}, 403, "AccessDenied"),
    ("v2 of nobody", "GET", "/s3/docs/there", {"bare": {"Authorization": "AWS x"}}, 400, "InvalidArgument"),
    ("v2 without date", "GET", "/s3/docs/there", {"bare": {"Authorization": "AWS a:b"}}, 403, "AccessDenied"),
    ("v4a", "GET", "/s3/docs/there", {"bare": {"Authorization": "AWS4-ECDSA-P256-SHA256 x"}}, 501, "NotImplemented"),
    ("no such token", "GET", "/s3/docs/there", {"headers": {"x-amz-security-token": "t"}}, 400, "InvalidToken"),
    ("no key", "GET", "/s3/docs/nothing", {}, 404, "NoSuchKey"),
    ("no bucket", "GET", "/s3/nothing/there", {}, 404, "NoSuchBucket"),
    ("put no bucket", "PUT", "/s3/nothing/k", {"body": b"x"}, 404, "NoSuchBucket"),
    ("list no bucket", "GET", "/s3/nothing?list-type=2", {}, 404, "NoSuchBucket"),
    ("wrong method", "PATCH", "/s3/docs/there", {}, 405, "MethodNotAllowed"),
    ("wrong method on bucket", "POST", "/s3/docs?delete&uploads", {}, 501, "NotImplemented"),
    ("preflight", "OPTIONS", "/s3/docs/there", {"bare": {"Origin": "http://x"}}, 400, "BadRequest"),
    ("not utf-8", "GET", "/s3/docs/%FF", {}, 400, "InvalidURI"),
    ("nul", "PUT", "/s3/docs/a%00b", {}, 400, "InvalidURI"),
    ("nul prefix", "GET", "/s3/docs?prefix=%00", {}, 400, "InvalidURI"),
    ("long key", "PUT", "/s3/docs/" + "k" * 1025, {}, 400, "KeyTooLongError"),
    ("tagging", "PUT", "/s3/docs/k?tagging", {"body": b"<Tagging/>"}, 400, "MalformedXML"),
    ("public", "PUT", "/s3/docs/k", {"headers": {"x-amz-acl": "public-read"}}, 400, NO_ACL),
    ("kms", "PUT", "/s3/docs/k", {"headers": {"x-amz-server-side-encryption": "aws:kms"}}, 501, "NotImplemented"),
    ("chunks", "PUT", "/s3/docs/k", {"payload": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, 411, "MissingContentLength"),
    ("v4a chunks", "PUT", "/s3/docs/k", {"payload": "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"}, 501, "NotImplemented"),
    ("payload mode", "PUT", "/s3/docs/k", {"payload": "SOMETHING"}, 400, "InvalidArgument"),
    ("wrong hash", "PUT", "/s3/docs/k", {"body": b"x", "payload": EMPTY}, 400, "XAmzContentSHA256Mismatch"),
    ("wrong md5", "PUT", "/s3/docs/k", {"body": b"x", "headers": {"Content-MD5": MD5}}, 400, "BadDigest"),
    ("no md5", "PUT", "/s3/docs/k", {"body": b"x", "headers": {"Content-MD5": "x"}}, 400, "InvalidDigest"),
    ("wrong crc", "PUT", "/s3/docs/k", {"body": b"x", "headers": {CRC32: "AAAAAA=="}}, 400, "BadDigest"),
    ("no crc", "PUT", "/s3/docs/k", {"body": b"x", "headers": {CRC32: "A"}}, 400, "BadDigest"),
    ("metadata", "PUT", "/s3/docs/k", {"headers": {"x-amz-meta-a": "x" * 2048}}, 400, "MetadataTooLarge"),
    ("part number", "PUT", "/s3/docs/k?partNumber=x&uploadId=u", {"body": b"x"}, 400, "InvalidArgument"),
    ("no upload", "PUT", "/s3/docs/k?partNumber=1&uploadId=u", {"body": b"x"}, 404, "NoSuchUpload"),
    ("complete what", "POST", "/s3/docs/k?uploadId=u", {"body": b"<a"}, 400, "MalformedXML"),
    ("complete other", "POST", "/s3/docs/k?uploadId=u", {"body": b"<Delete/>"}, 400, "MalformedXML"),
    ("version", "GET", "/s3/docs/there?versionId=x", {}, 400, "InvalidArgument"),
    ("version gone", "DELETE", "/s3/docs/there?versionId=x", {}, 400, "InvalidArgument"),
    ("version marker", "GET", "/s3/docs?versions&key-marker=a&version-id-marker=", {}, 400, "InvalidArgument"),
    ("keys", "GET", "/s3/docs?max-keys=2147483648", {}, 400, "InvalidArgument"),
    ("buckets", "GET", "/s3/?max-buckets=10001", {}, 400, "InvalidArgument"),
    ("attributes", "GET", "/s3/docs/there?attributes", {}, 400, "InvalidRequest"),
    ("source", "PUT", "/s3/docs/k", {"headers": {"x-amz-copy-source": "docs/%ZZ"}}, 400, "InvalidArgument"),
    ("no xml", "POST", "/s3/docs?delete", digested(b"\xff"), 400, "MalformedXML"),
    ("empty", "POST", "/s3/docs?delete", digested(b""), 400, "MissingRequestBodyError"),
    ("entities", "POST", "/s3/docs?delete", digested(ENTITIES), 400, "MalformedXML"),
    ("no digest", "POST", "/s3/docs?delete", {"body": ENTITIES}, 400, "InvalidRequest"),
    ("location", "PUT", "/s3/another", {"body": b"<a>"}, 400, "MalformedXML"),
    ("copy nothing", "PUT", "/s3/docs/k", {"headers": {"x-amz-copy-source": "/"}}, 400, "InvalidArgument"),
    ("max-keys", "GET", "/s3/docs?list-type=2&max-keys=x", {}, 400, "InvalidArgument"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "target", "options", "status", "code"),
    [case[1:] for case in BAD],
    ids=[case[0] for case in BAD],
)
def test_the_right_refusal(
    account: Account, method: str, target: str, options: dict[str, Any], status: int, code: str
) -> None:
    options = dict(options)
    if "bare" in options:
        reply = send(account, method, target, options["bare"])
    else:
        reply = call(account, method, target, **options)
    assert (reply.status, reply.code) == (status, code)
    assert not stored(account, "k")


@pytest.mark.parametrize(
    "target", ["/s3/docs/nothing", "/s3/nothing", f"/s3/docs/there?versionId={'x' * 32}"]
)
def test_head_has_no_body(account: Account, target: str) -> None:
    reply = call(account, "HEAD", target)
    assert (reply.status, reply.body) == (404, b"")
    assert reply.headers["x-amz-request-id"]


def test_every_answer_names_its_request(account: Account) -> None:
    for method, target in (
        ("GET", "/s3/docs/there"),
        ("HEAD", "/s3/docs/there"),
        ("GET", "/s3/docs"),
        ("GET", "/s3/"),
    ):
        reply = call(account, method, target)
        assert reply.status == 200
        assert reply.headers["x-amz-request-id"]
        assert reply.headers["x-amz-id-2"]


def stored(account: Account, key: str) -> bool:
    with account.stack.database(), platform_scope("tests"):
        return Object.objects.filter(tenant=account.who.tenant, key=key).exists()


def blobs(account: Account) -> set[str]:
    """Files in the store, whole ones and temporary ones."""
    return {str(path) for path in (account.stack.home / "blobs").rglob("*") if path.is_file()}


def test_a_body_that_breaks_off_leaves_nothing(account: Account) -> None:
    before = blobs(account)
    for payload in ("UNSIGNED-PAYLOAD", EMPTY):
        headers = signed(account, "PUT", "/s3/docs/half", payload=payload)
        send_half(account, "/s3/docs/half", headers, 20 * MIB, b"x" * 3 * MIB)
    until(lambda: not blobs(account) - before, 30, "nothing is left")
    assert not stored(account, "half")


def test_more_or_less_than_announced(account: Account) -> None:
    trailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    wire = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    sent = {"X-Amz-Trailer": "x-amz-checksum-crc32", "Content-Encoding": "aws-chunked"}

    def put(body: bytes, decoded: str | None, **more: str) -> Reply:
        headers = sent | more
        if decoded is not None:
            headers["X-Amz-Decoded-Content-Length"] = decoded
        return call(account, "PUT", "/s3/docs/chunks", body, payload=trailer, headers=headers)

    before = blobs(account)
    for body, decoded, code in (
        (wire, "6", "IncompleteBody"),
        (wire, "4", "IncompleteBody"),
        (wire, None, "MissingContentLength"),
        (wire, str(5 * 1024**3 + 1), "EntityTooLarge"),
        (wire[:-2], "5", "IncompleteBody"),
        (wire.replace(b"NhCm", b"AAAA"), "5", "BadDigest"),
        (b"5\r\nhello\r\n0\r\n\r\n", "5", "MalformedTrailerError"),
        (b"5\r\nhelloX\r\n", "5", "IncompleteBody"),
    ):
        reply = put(body, decoded)
        assert reply.code == code, body
        assert reply.status in (400, 411)
    assert not stored(account, "chunks")
    until(lambda: not blobs(account) - before, 30, "nothing is left")
    assert put(wire, "5").status == 200
    assert call(account, "GET", "/s3/docs/chunks").body == b"hello"
    assert call(account, "HEAD", "/s3/docs/chunks").headers["content-encoding"] is None


def test_what_is_too_large_is_refused_before_its_body(account: Account) -> None:
    size = 5 * 1024**3 + 1
    headers = signed(account, "PUT", "/s3/docs/huge", payload="UNSIGNED-PAYLOAD")
    reply = send(
        account, "PUT", "/s3/docs/huge", headers | {"Content-Length": str(size), "Expect": "100-continue"}
    )
    assert (reply.status, reply.code) == (400, "EntityTooLarge")


def test_an_answer_without_100_continue_ends_the_connection(account: Account) -> None:
    """botocore would take its status for the next answer's."""
    headers = signed(account, "PUT", "/s3/docs/empty") | {"Expect": "100-continue", "Content-Length": "0"}
    reply = send(account, "PUT", "/s3/docs/empty", headers)
    assert (reply.status, reply.headers["connection"]) == (200, "close")
    assert call(account, "PUT", "/s3/docs/empty").headers["connection"] is None


def test_nothing_comes_before_an_answer_without_100_continue(account: Account) -> None:
    """aiohttp, and so s3fs, refuses what follows an interim answer that closes the connection."""
    headers = signed(account, "PUT", "/s3/docs/empty") | {"Expect": "100-continue", "Content-Length": "0"}
    lines = ["PUT /s3/docs/empty HTTP/1.1", f"Host: 127.0.0.1:{account.stack.port}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection(("127.0.0.1", account.stack.port), timeout=10) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert (answer[:15], answer.count(b"HTTP/1.1 ")) == (b"HTTP/1.1 200 OK", 1)


def test_no_length(account: Account) -> None:
    headers = signed(account, "PUT", "/s3/docs/endless", payload="UNSIGNED-PAYLOAD")
    reply = send(
        account, "PUT", "/s3/docs/endless", headers | {"Transfer-Encoding": "chunked"}, b"1\r\nx\r\n0\r\n\r\n"
    )
    assert (reply.status, reply.code) == (411, "MissingContentLength")


def test_another_tenant_is_not_there(account: Account, stranger: Account) -> None:
    made = stranger.s3().create_multipart_upload(Bucket="theirs", Key="secret")
    upload = f"uploadId={made['UploadId']}"
    for method, target, code in (
        ("GET", "/s3/theirs/secret", "NoSuchBucket"),
        ("PUT", "/s3/theirs/secret", "NoSuchBucket"),
        ("DELETE", "/s3/theirs/secret", "NoSuchBucket"),
        ("GET", "/s3/theirs", "NoSuchBucket"),
        ("DELETE", "/s3/theirs", "NoSuchBucket"),
        ("GET", f"/s3/theirs/secret?{upload}", "NoSuchBucket"),
        ("GET", f"/s3/docs/secret?{upload}", "NoSuchUpload"),
        ("PUT", f"/s3/docs/secret?partNumber=1&{upload}", "NoSuchUpload"),
        ("DELETE", f"/s3/docs/secret?{upload}", "NoSuchUpload"),
    ):
        reply = call(account, method, target)
        assert (reply.status, reply.code) == (404, code)
    copied = call(account, "PUT", "/s3/docs/stolen", headers={"x-amz-copy-source": "/theirs/secret"})
    assert (copied.status, copied.code) == (404, "NoSuchBucket")
    forged = call(account, "GET", "/s3/theirs/secret", key_id=stranger.key_id)
    assert (forged.status, forged.code) == (403, "SignatureDoesNotMatch")
    assert b"theirs" not in call(account, "GET", "/s3/").body
    assert call(stranger, "GET", "/s3/theirs/secret").body == b"secret"


def test_the_same_name_is_another_bucket_for_another_tenant(account: Account, stack: Stack) -> None:
    other = stack.account()
    other.bucket("docs")
    assert call(other, "PUT", "/s3/docs/there", b"other").status == 200
    assert call(account, "GET", "/s3/docs/there").body == b"content"
    assert call(other, "GET", "/s3/docs/there").body == b"other"


def test_a_role_limits_its_keys(account: Account, stack: Stack) -> None:
    viewer = stack.account("member", tenant=account.who.tenant)
    assert call(viewer, "PUT", "/s3/docs/by-member", b"x").status == 200
    with stack.database(), tenant_scope(account.who.tenant.pk):
        membership = Membership.objects.get(user=viewer.who.user)
        users.assign_role(membership, "viewer", actor=factories.staff())
    eventually(viewer, "PUT", "/s3/docs/by-member", "AccessDenied")
    assert call(viewer, "GET", "/s3/docs/there").body == b"content"
    for method, target in (
        ("PUT", "/s3/docs/k"),
        ("DELETE", "/s3/docs/there"),
        ("PUT", "/s3/new-bucket"),
        ("DELETE", "/s3/docs"),
        ("POST", "/s3/docs/k?uploads"),
    ):
        reply = call(viewer, method, target)
        assert (reply.status, reply.code) == (403, "AccessDenied")
    assert call(account, "GET", "/s3/docs/there").status == 200


def test_a_key_that_ends_is_refused_at_once(stack: Stack) -> None:
    account = stack.account()
    account.bucket()
    with stack.database():
        second = stack.key_of(account.who)
    assert call(second, "GET", "/s3/docs").status == 200
    with stack.database(), tenant_scope(account.who.tenant.pk):
        access_keys.revoke_access_key(AccessKey.objects.get(access_key_id=second.key_id), actor=account.who)
    eventually(second, "GET", "/s3/docs", "InvalidAccessKeyId")
    assert call(account, "GET", "/s3/docs").status == 200
    with stack.database():
        tenants.update_tenant(account.who.tenant, status=Tenant.Status.SUSPENDED, actor=factories.staff())
    eventually(account, "GET", "/s3/docs", "InvalidAccessKeyId")


def eventually(account: Account, method: str, target: str, code: str) -> None:
    """Refused within a second: the news has to reach another process."""
    end = time.monotonic() + 1
    while (reply := call(account, method, target)).status == 200 or reply.code != code:
        assert time.monotonic() < end, reply
    assert reply.status == 403


def refused_before_its_body(account: Account, target: str, size: int) -> bool:
    headers = signed(account, "PUT", target, payload="UNSIGNED-PAYLOAD")
    headers |= {"Content-Length": str(size), "Expect": "100-continue"}
    lines = [f"PUT {target} HTTP/1.1", f"Host: 127.0.0.1:{account.stack.port}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection(("127.0.0.1", account.stack.port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        return connection.recv(65536).startswith(b"HTTP/1.1 403 ")


def test_a_quota_is_exact(stack: Stack) -> None:
    account = stack.account()
    account.bucket()
    with stack.database(), tenant_scope(account.who.tenant.pk), transaction.atomic():
        quotas.set_limits(account.who.tenant, {"storage_bytes": 100_000}, actor=factories.staff())
    until(lambda: refused_before_its_body(account, "/s3/docs/z", 200_000), 30, "the quota is heard of")
    assert call(account, "PUT", "/s3/docs/a", b"x" * 60_000).status == 200
    before = blobs(account)
    for target in ("/s3/docs/b", "/s3/docs/c"):
        reply = call(account, "PUT", target, b"x" * 60_000)
        assert (reply.status, reply.code) == (403, "QuotaExceeded")
    headers = signed(account, "PUT", "/s3/docs/d", payload="UNSIGNED-PAYLOAD")
    reply = send(
        account, "PUT", "/s3/docs/d", headers | {"Content-Length": "90000", "Expect": "100-continue"}
    )
    assert (reply.status, reply.code) == (403, "QuotaExceeded")
    copied = call(account, "PUT", "/s3/docs/e", headers={"x-amz-copy-source": "/docs/a"})
    assert (copied.status, copied.code) == (403, "QuotaExceeded")
    until(lambda: not blobs(account) - before, 30, "nothing is left")
    assert call(account, "PUT", "/s3/docs/a", b"y" * 90_000).status == 200  # what it replaces makes room
    assert call(account, "PUT", "/s3/docs/b", b"x" * 10_000).status == 200
    assert call(account, "DELETE", "/s3/docs/a").status == 204
    assert call(account, "PUT", "/s3/docs/c", b"x" * 90_000).status == 200


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/there"])
def test_the_domain_is_s3_alone(account: Account, stack: Stack, path: str) -> None:
    reply = send(account, "GET", path, {"Host": f"s3.localhost:{stack.port}"})
    assert (reply.status, reply.code) == (403, "AccessDenied")
    assert urlsplit(stack.url).hostname == "127.0.0.1"
