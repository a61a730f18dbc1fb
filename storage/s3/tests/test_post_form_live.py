"""Uploads from forms through the front door: who may, what a policy holds a form to, and how it is answered."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest
import requests

from gateway.db.scope import platform_scope, tenant_scope
from storage.models import Object
from storage.s3.tests.signer import call, send
from tenants.models import Membership
from tenants.services import users
from tests import factories
from tests.stack import Account, Stack

FILE = os.urandom(300_000)
Answer = requests.Response


@pytest.fixture(scope="module")
def account(stack: Stack, moto: str, rclone: str) -> Account:
    made = stack.account()
    made.bucket("docs")
    made.bucket("moto", backend=moto)
    made.bucket("rclone", backend=rclone)
    return made


def post(
    account: Account, fields: dict[str, str], content: bytes = b"bar", *, bucket: str = "docs", **options: Any
) -> Answer:
    files = {"file": (options.pop("filename", "foo.txt"), content)}
    url = options.pop("url", f"{account.stack.url}/s3/{bucket}")
    return requests.post(url, data=fields, files=files, allow_redirects=False, timeout=30, **options)


def policy_of(conditions: list[Any], *, seconds: int = 600) -> str:
    ends = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = {"expiration": ends, "conditions": conditions}
    return base64.b64encode(json.dumps(document).encode()).decode()


def v2(
    account: Account, fields: dict[str, str], *conditions: Any, bucket: str = "docs", **options: Any
) -> dict[str, str]:
    """`fields` with a policy for them, signed as before Signature Version 4."""
    policy = policy_of([{"bucket": bucket}, ["starts-with", "$key", ""], *conditions], **options)
    digest = hmac.new(account.secret.encode(), policy.encode(), hashlib.sha1).digest()
    signature = base64.b64encode(digest).decode()
    return {"AWSAccessKeyId": account.key_id, "policy": policy, "signature": signature, **fields}


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status_code, ElementTree.fromstring(answer.content).findtext("Code") or ""


def stored(account: Account, key: str) -> bool:
    with account.stack.database(), platform_scope("tests"):
        return Object.objects.filter(tenant=account.who.tenant, key=key).exists()


def blobs(account: Account) -> set[str]:
    return {str(path) for path in (account.stack.home / "blobs").rglob("*") if path.is_file()}


def test_a_form_is_signed_in_its_fields_alone(account: Account) -> None:
    """A header or a presigned address beside them would say a second time who asks, and hash the whole form."""
    form = requests.Request(
        "POST",
        f"{account.stack.url}/s3/docs",
        data=v2(account, {"key": "two-claims"}),
        files={"file": ("foo.txt", b"bar")},
    ).prepare()
    assert isinstance(form.body, bytes)
    kind = {"Content-Type": str(form.headers["Content-Type"])}
    for payload in (None, "UNSIGNED-PAYLOAD"):
        answer = call(account, "POST", "/s3/docs", form.body, headers=dict(kind), payload=payload)
        assert (answer.status, answer.code) == (400, "InvalidArgument")
    forged = call(account, "POST", "/s3/docs", form.body, headers=dict(kind), secret="x" * 40)
    assert (forged.status, forged.code) == (403, "SignatureDoesNotMatch")
    presigned = account.s3(signature_version="s3v4").generate_presigned_url(
        "list_objects_v2", {"Bucket": "docs"}, HttpMethod="POST"
    )
    query = presigned.partition("?")[2].removeprefix("list-type=2&")
    refused = send(account, "POST", f"/s3/docs?{query}", kind, form.body)
    assert refused.status in (400, 403)
    assert not stored(account, "two-claims")
    assert send(account, "POST", "/s3/docs", kind, form.body).status == 204
    assert stored(account, "two-claims")


@pytest.mark.parametrize("bucket", ["docs", "moto", "rclone"])
@pytest.mark.parametrize("version", ["s3", "s3v4"])
@pytest.mark.parametrize("content", [b"", b"bar", FILE], ids=len)
def test_what_boto3_presigns(account: Account, bucket: str, version: str, content: bytes) -> None:
    before = blobs(account)
    key = f"forms/ü {version} {len(content)}"
    made = account.s3(signature_version=version).generate_presigned_post(
        bucket,
        key,
        Fields={"Content-Type": "text/x", "x-amz-meta-a": "1", "Cache-Control": "no-store"},
        Conditions=[
            {"Content-Type": "text/x"},
            {"x-amz-meta-a": "1"},
            {"Cache-Control": "no-store"},
            ["content-length-range", 0, 1_000_000],
        ],
    )
    answer = post(account, made["fields"], content, url=made["url"])
    assert (answer.status_code, answer.content) == (204, b""), answer.text
    got = account.s3().get_object(Bucket=bucket, Key=key)
    assert got["Body"].read() == content
    assert (got["ContentType"], got["Metadata"]) == ("text/x", {"a": "1"})
    assert answer.headers["etag"] == got["ETag"]
    assert answer.headers["location"].startswith(f"{account.stack.url}/s3/{bucket}/forms/%C3%BC%20")
    if bucket != "docs":
        assert blobs(account) == before  # the file waited here, and waits no longer


def test_a_forged_form(account: Account, stack: Stack) -> None:
    fields = v2(account, {"key": "forged"})
    for change, expected in (
        ({"signature": "AAAA"}, (403, "SignatureDoesNotMatch")),
        ({"policy": policy_of([])}, (403, "SignatureDoesNotMatch")),
        ({"AWSAccessKeyId": "GHAAAAAAAAAAAAAAAAAA"}, (403, "InvalidAccessKeyId")),
        ({"AWSAccessKeyId": stack.account().key_id}, (403, "SignatureDoesNotMatch")),
        ({"signature": ""}, (400, "InvalidArgument")),
        ({"x-amz-meta-a": "1"}, (403, "AccessDenied")),
        ({"key": ""}, (400, "InvalidArgument")),
        ({"x-amz-security-token": "t"}, (400, "InvalidToken")),
    ):
        assert code_of(post(account, {**fields, **change})) == expected, change
    expired = v2(account, {"key": "forged"}, seconds=-60)
    assert code_of(post(account, expired)) == (403, "AccessDenied")
    other = v2(account, {"key": "forged"}, bucket="moto")
    assert code_of(post(account, other)) == (403, "AccessDenied")
    assert code_of(post(account, {**other, "bucket": "moto"})) == (403, "AccessDenied")
    assert not stored(account, "forged")


def test_the_signers_role_counts(account: Account, stack: Stack) -> None:
    viewer = stack.account("member", tenant=account.who.tenant)
    with stack.database(), tenant_scope(account.who.tenant.pk):
        membership = Membership.objects.get(user=viewer.who.user)
        users.assign_role(membership, "viewer", actor=factories.staff())
    end = time.monotonic() + 30
    while post(account, v2(viewer, {"key": "before"})).status_code != 403:
        assert time.monotonic() < end  # the news has to reach another process
    assert code_of(post(account, v2(viewer, {"key": "by-viewer"}))) == (403, "AccessDenied")
    stranger = stack.account()
    assert code_of(post(account, v2(stranger, {"key": "by-stranger"}))) == (404, "NoSuchBucket")
    assert not stored(account, "by-viewer")
    assert not stored(account, "by-stranger")


def test_nobody_is_signed_in_by_a_cookie(account: Account) -> None:
    """A form on somebody's page acts for nobody."""
    session = requests.Session()
    assert account.who.user
    pages = account.stack.url
    page = session.get(f"{pages}/app/login", timeout=30).text
    token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    form = {
        "username": account.who.user.username,
        "password": factories.PASSWORD,
        "csrfmiddlewaretoken": token,
    }
    session.post(f"{pages}/app/login", data=form, headers={"Referer": f"{pages}/app/login"}, timeout=30)
    assert any("session" in cookie.name for cookie in session.cookies)
    answer = session.post(f"{pages}/s3/docs", data={"key": "csrf"}, files={"file": b"x"}, timeout=30)
    assert code_of(answer) == (403, "AccessDenied")
    assert not stored(account, "csrf")


def test_anonymous_forms_where_the_policy_lets_them(account: Account, stack: Stack) -> None:
    open_to = stack.account()
    open_to.bucket("open-to-all-forms")
    assert code_of(post(open_to, {"key": "in/a"}, bucket="open-to-all-forms")) == (403, "AccessDenied")
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::open-to-all-forms/in/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    open_to.s3().put_bucket_policy(Bucket="open-to-all-forms", Policy=policy)
    assert post(open_to, {"key": "in/a"}, bucket="open-to-all-forms").status_code == 204
    assert open_to.s3().get_object(Bucket="open-to-all-forms", Key="in/a")["Body"].read() == b"bar"
    assert code_of(post(open_to, {"key": "out/a"}, bucket="open-to-all-forms")) == (403, "AccessDenied")
    assert code_of(post(open_to, {"key": "in/a"}, bucket="no-such-bucket")) == (403, "AccessDenied")


@pytest.mark.parametrize(
    ("key", "filename", "expected"),
    [
        ("${filename}", "foo.txt", "foo.txt"),
        ("user/${filename}", "C:\\Users\\me\\foo.txt", "user/foo.txt"),
        ("user/${filename}", "/home/me/foo.txt", "user/foo.txt"),
        ("a/${filename}/b", "ü.txt", "a/ü.txt/b"),
        (r"\$foo.txt", "x", r"\$foo.txt"),
        ("a//b/../c %2F+", "x", "a//b/../c %2F+"),
    ],
)
def test_keys(account: Account, key: str, filename: str, expected: str) -> None:
    fields = v2(account, {"key": key})
    assert post(account, fields, filename=filename).status_code == 204
    assert stored(account, expected)


def test_a_key_that_is_none(account: Account) -> None:
    assert code_of(post(account, v2(account, {"key": "k" * 1025}))) == (400, "KeyTooLongError")
    assert code_of(post(account, v2(account, {"key": "a\0b"}))) == (400, "InvalidURI")
    assert code_of(post(account, v2(account, {"key": "${filename}"}), filename="/")) == (
        400,
        "InvalidArgument",
    )


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [
        (0, 300_000, 204),
        (300_000, 300_000, 204),
        (0, 299_999, (400, "EntityTooLarge")),
        (0, 0, (400, "EntityTooLarge")),
        (300_001, 400_000, (400, "EntityTooSmall")),
    ],
)
@pytest.mark.parametrize("bucket", ["docs", "moto"])
def test_sizes(account: Account, bucket: str, least: int, most: int, expected: Any) -> None:
    before = blobs(account)
    fields = v2(
        account, {"key": f"size-{least}-{most}"}, ["content-length-range", least, most], bucket=bucket
    )
    answer = post(account, fields, FILE, bucket=bucket)
    if expected == 204:
        assert answer.status_code == 204
        return
    assert code_of(answer) == expected
    assert not stored(account, fields["key"])
    assert blobs(account) == before


@pytest.mark.parametrize(
    ("wanted", "status"), [("200", 200), ("201", 201), ("204", 204), ("404", 204), ("", 204), ("x", 204)]
)
def test_the_status_a_form_wants(account: Account, wanted: str, status: int) -> None:
    fields = {"key": "a&b.txt", "success_action_status": wanted}
    answer = post(account, v2(account, fields, ["starts-with", "$success_action_status", ""]))
    assert answer.status_code == status
    if status != 201:
        assert answer.content == b""
        return
    root = ElementTree.fromstring(answer.content)
    assert root.tag == "PostResponse"
    said = {child.tag: child.text for child in root}
    assert said == {
        "Location": f"{account.stack.url}/s3/docs/a%26b.txt",
        "Bucket": "docs",
        "Key": "a&b.txt",
        "ETag": '"37b51d194a7513e45b56f6524f2d51f2"',
    }


@pytest.mark.parametrize("name", ["success_action_redirect", "redirect"])
@pytest.mark.parametrize(
    ("target", "start"),
    [
        ("http://example.com/done", "http://example.com/done?bucket="),
        ("https://example.com/done?a=b", "https://example.com/done?a=b&bucket="),
    ],
)
def test_where_a_form_wants_to_go(account: Account, name: str, target: str, start: str) -> None:
    fields = v2(account, {"key": "a b/ü", name: target}, ["eq", f"${name}", target])
    answer = post(account, fields)
    assert answer.status_code == 303
    where = answer.headers["location"]
    assert where.startswith(start)
    query = parse_qs(urlsplit(where).query)
    assert (query["bucket"], query["key"]) == (["docs"], ["a b/ü"])
    assert query["etag"] == ['"37b51d194a7513e45b56f6524f2d51f2"']
    other = {**fields, name: "http://elsewhere.example/"}
    assert code_of(post(account, other)) == (403, "AccessDenied")


@pytest.mark.parametrize(
    "target", ["nowhere", "javascript:alert(1)", "//example.com", "http://", "http://[", "http://a b"]
)
def test_no_address_is_no_redirect(account: Account, target: str) -> None:
    fields = {"key": "r", "success_action_redirect": target}
    answer = post(account, v2(account, fields, ["starts-with", "$success_action_redirect", ""]))
    assert answer.status_code == 204
    assert answer.headers["location"] == f"{account.stack.url}/s3/docs/r"


def test_tags_and_checksums_and_encryption(account: Account) -> None:
    tagging = "<Tagging><TagSet><Tag><Key>a b</Key><Value>ü=@</Value></Tag></TagSet></Tagging>"
    fields = {
        "key": "described",
        "tagging": tagging,
        "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(FILE).digest()).decode(),
        "x-amz-server-side-encryption": "AES256",
    }
    free = (["starts-with", "$tagging", ""], ["starts-with", "$x-amz-server-side-encryption", ""])
    answer = post(account, v2(account, fields, *free), FILE)
    assert answer.status_code == 204, answer.text
    assert answer.headers["x-amz-server-side-encryption"] == "AES256"
    s3 = account.s3()
    assert s3.get_object_tagging(Bucket="docs", Key="described")["TagSet"] == [{"Key": "a b", "Value": "ü=@"}]
    got = s3.get_object(Bucket="docs", Key="described")
    assert (got["Body"].read(), got["ChecksumSHA256"]) == (FILE, fields["x-amz-checksum-sha256"])
    for name, value, expected in (
        ("x-amz-checksum-sha256", "A" * 43 + "=", "BadDigest"),
        ("x-amz-checksum-sha256", "sailorjerry", "BadDigest"),
        ("tagging", "nonsense", "MalformedXML"),
        ("x-amz-server-side-encryption", "rot13", "InvalidArgument"),
    ):
        refused = {**fields, "key": "refused", name: value}
        assert code_of(post(account, v2(account, refused, *free), FILE)) == (400, expected)
    assert not stored(account, "refused")


@pytest.mark.parametrize(
    ("name", "value", "status", "code"),
    [
        ("x-amz-meta-a", "one\r\nSet-Cookie: a=b", 400, "InvalidArgument"),
        ("Content-Type", "text/html\n", 400, "InvalidArgument"),
        ("acl", "public-read", 400, "AccessControlListNotSupported"),
        ("x-amz-storage-class", "GLACIER_X", 400, "InvalidStorageClass"),
        ("x-amz-website-redirect-location", "ftp://example.com", 400, "InvalidRedirectLocation"),
        ("x-amz-meta-a", "x" * 3000, 400, "MetadataTooLarge"),
        ("x-ignore-a", "x" * 30_000, 400, "MaxPostPreDataLengthExceededError"),
    ],
)
def test_bad_fields(account: Account, name: str, value: str, status: int, code: str) -> None:
    fields = v2(account, {"key": "bad", name: value}, ["starts-with", f"${name}", ""])
    assert code_of(post(account, fields)) == (status, code)
    assert not stored(account, "bad")


def test_a_copy_cannot_be_slipped_in(account: Account) -> None:
    call(account, "PUT", "/s3/docs/secret", b"secret")
    fields = {"key": "slipped", "x-amz-copy-source": "/docs/secret"}
    post(account, v2(account, fields, ["starts-with", "$x-amz-copy-source", ""]))
    assert call(account, "GET", "/s3/docs/slipped").body == b"bar"
    headers = {"x-amz-copy-source": "/docs/secret", "x-amz-meta-a": "1"}
    assert post(account, v2(account, {"key": "slipped"}), b"again", headers=headers).status_code == 204
    got = call(account, "GET", "/s3/docs/slipped")
    assert (got.body, got.headers["x-amz-meta-a"]) == (b"again", None)


def test_what_is_no_form(account: Account) -> None:
    for headers, status, code in (
        ({"Content-Type": "application/json"}, 412, "PreconditionFailed"),
        ({}, 412, "PreconditionFailed"),
        ({"Content-Type": "multipart/form-data"}, 400, "MalformedPOSTRequest"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 400, "MalformedPOSTRequest"),
    ):
        reply = send(account, "POST", "/s3/docs", headers, b"nonsense")
        assert (reply.status, reply.code) == (status, code)
    form = {"Content-Type": "multipart/form-data; boundary=x", "Transfer-Encoding": "chunked"}
    reply = send(account, "POST", "/s3/docs", form, b"0\r\n\r\n")
    assert (reply.status, reply.code) == (411, "MissingContentLength")
    signed_too = call(
        account, "POST", "/s3/docs", b"--x--", headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert (signed_too.status, signed_too.code) == (400, "InvalidArgument")


def test_the_forms_address(account: Account, stack: Stack) -> None:
    fields = v2(account, {"key": "at"})
    for host, path, location in (
        (f"s3.localhost:{stack.port}", "/docs", "/docs/at"),
        (f"docs.s3.localhost:{stack.port}", "/", "/at"),
    ):
        answer = post(account, fields, url=f"{stack.url}{path}", headers={"Host": host})
        assert answer.status_code == 204, answer.text
        assert answer.headers["location"] == f"http://{host}{location}"


def test_whoever_still_sends_is_answered(account: Account) -> None:
    """A refusal before the file has come, and a form that goes on behind its file."""
    fields = v2(account, {"key": "large"})
    refused = post(account, fields | {"signature": "x"}, bytes(24 << 20))
    assert code_of(refused) == (403, "SignatureDoesNotMatch")
    form = requests.Request(
        "POST", f"{account.stack.url}/s3/docs", data=fields, files={"file": ("foo.txt", b"bar")}
    ).prepare()
    assert isinstance(form.body, bytes)
    kind = {"Content-Type": str(form.headers["Content-Type"])}
    assert send(account, "POST", "/s3/docs", kind, form.body + bytes(3 << 20)).status == 204
    assert stored(account, "large")
