"""Pages of other origins: preflights, and what answers of the index, the edge and a remote backend tell."""

from __future__ import annotations

import pytest

from storage import cors
from storage.s3.tests.signer import Reply, call, send
from tests.stack import Account, Stack

ORIGIN = {"Origin": "https://app.example.org"}
RULES = [
    {
        "AllowedMethods": ["GET", "PUT"],
        "AllowedOrigins": ["https://*.example.org"],
        "AllowedHeaders": ["x-amz-*", "content-type"],
        "ExposeHeaders": ["ETag", "x-amz-request-id"],
        "MaxAgeSeconds": 600,
    },
    {"AllowedMethods": ["DELETE"], "AllowedOrigins": ["*"]},
]


@pytest.fixture(scope="module")
def account(stack: Stack) -> Account:
    made = stack.account()
    made.bucket()
    s3 = made.s3()
    s3.put_object(Bucket="docs", Key="small", Body=b"x")
    s3.put_object(Bucket="docs", Key="large", Body=b"x" * (1 << 20))
    s3.put_bucket_cors(Bucket="docs", CORSConfiguration={"CORSRules": RULES})
    return made


def told(reply: Reply) -> dict[str, str]:
    names = ("Origin", "Methods", "Headers", "Credentials")
    found = {name: reply.headers[f"Access-Control-Allow-{name}"] for name in names}
    found["Expose"] = reply.headers["Access-Control-Expose-Headers"]
    found["Age"] = reply.headers["Access-Control-Max-Age"]
    return {name: value for name, value in found.items() if value is not None}


ALLOWED = {
    "Origin": "https://app.example.org",
    "Methods": "GET, PUT",
    "Credentials": "true",
    "Expose": "ETag, x-amz-request-id",
    "Age": "600",
}


def ask(
    account: Account, target: str, method: str | None = "GET", origin: str | None = None, **more: str
) -> Reply:
    headers = {"Origin": ORIGIN["Origin"] if origin is None else origin}
    if method:
        headers["Access-Control-Request-Method"] = method
    return send(account, "OPTIONS", target, {**headers, **more})


def presigned(account: Account, method: str = "get_object", key: str = "small") -> str:
    url: str = account.s3().generate_presigned_url(method, Params={"Bucket": "docs", "Key": key})
    return url.removeprefix(account.stack.url)


def test_a_preflight_of_a_presigned_url(account: Account) -> None:
    for method, verb in (("get_object", "GET"), ("put_object", "PUT")):
        reply = ask(account, presigned(account, method), verb)
        assert (reply.status, reply.body) == (200, b"")
        assert told(reply) == ALLOWED
        assert reply.headers["Vary"] == cors.VARY
    asked = {"Access-Control-Request-Headers": "x-amz-date, Content-Type"}
    assert told(ask(account, presigned(account), **asked))["Headers"] == "x-amz-date, content-type"
    assert told(ask(account, presigned(account), "DELETE"))["Origin"] == "*"


@pytest.mark.parametrize(
    ("method", "origin", "headers"),
    [
        ("POST", None, ""),
        ("GET", "https://evil.org", ""),
        ("GET", None, "x-other"),
        ("DELETE", None, "x-amz-date"),
    ],
)
def test_a_preflight_that_is_not_allowed(
    account: Account, method: str, origin: str | None, headers: str
) -> None:
    more = {"Access-Control-Request-Headers": headers} if headers else {}
    reply = ask(account, presigned(account), method, origin, **more)
    assert (reply.status, reply.code, told(reply)) == (403, "AccessForbidden", {})


def test_what_is_no_preflight(account: Account) -> None:
    for reply in (
        ask(account, "/s3/docs/small", None),
        ask(account, "/s3/docs/small", "PATCH"),
        ask(account, "/s3/docs/small", "GET", ""),
    ):
        assert (reply.status, reply.code) == (400, "BadRequest")


def test_a_preflight_without_a_key_tells_nothing_of_private_buckets(account: Account, stack: Stack) -> None:
    plain, missing = ask(account, "/s3/docs/small"), ask(account, "/s3/nothing/small")
    assert (plain.status, plain.code) == (missing.status, missing.code) == (403, "AccessForbidden")
    other = stack.account()
    assert ask(account, presigned(other)).status == 403


def test_a_claimed_bucket_answers_preflights(account: Account, stack: Stack) -> None:
    owner = stack.account()
    owner.bucket("site-of-everybody")
    s3 = owner.s3()
    s3.put_bucket_cors(Bucket="site-of-everybody", CORSConfiguration={"CORSRules": RULES})
    grant = '{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::{}/*"}}'
    statement = grant.format("site-of-everybody")
    s3.put_bucket_policy(
        Bucket="site-of-everybody", Policy=f'{{"Version":"2012-10-17","Statement":[{statement}]}}'
    )
    assert told(ask(account, "/s3/site-of-everybody/k")) == ALLOWED
    host = {"Host": f"site-of-everybody.s3.localhost:{stack.port}"}
    assert told(ask(account, "/k", **host)) == ALLOWED
    s3.put_object(Bucket="site-of-everybody", Key="k", Body=b"x")
    for target, status in (("/s3/site-of-everybody/k", 200), ("/s3/site-of-everybody/none", 403)):
        reply = send(account, "GET", target, ORIGIN)
        assert (reply.status, told(reply)) == (status, ALLOWED)


@pytest.mark.parametrize("target", ["small", "large", "none", "?list-type=2"])
def test_answers(account: Account, target: str) -> None:
    path = f"/s3/docs{target}" if target.startswith("?") else f"/s3/docs/{target}"
    reply = call(account, "GET", path, headers=ORIGIN)
    assert told(reply) == ALLOWED
    assert cors.VARY in reply.headers.get_all("Vary", [])
    stranger = call(account, "GET", path, headers={"Origin": "https://evil.org"})
    assert told(stranger) == told(call(account, "GET", path)) == {}
    assert stranger.status == reply.status


def test_writes_and_refusals(account: Account) -> None:
    put = call(account, "PUT", "/s3/docs/new", b"x", headers=ORIGIN)
    assert (put.status, told(put)) == (200, ALLOWED)
    wrong = call(account, "PUT", "/s3/docs/new", b"x", headers=ORIGIN, secret="wrong")
    assert (wrong.code, told(wrong)) == ("SignatureDoesNotMatch", ALLOWED)
    assert told(call(account, "DELETE", "/s3/docs/new", headers=ORIGIN))["Origin"] == "*"


def test_rules_that_are_gone_are_told_no_more(account: Account, stack: Stack) -> None:
    own = stack.account()
    own.bucket("short")
    s3 = own.s3()
    s3.put_bucket_cors(Bucket="short", CORSConfiguration={"CORSRules": RULES})
    assert told(call(own, "GET", "/s3/short", headers=ORIGIN)) == ALLOWED
    s3.delete_bucket_cors(Bucket="short")
    reply = call(own, "GET", "/s3/short", headers=ORIGIN)
    assert (told(reply), reply.headers["Vary"]) == ({}, None)


def test_a_remote_backends_answers(stack: Stack, moto: str) -> None:
    account = stack.account()
    account.bucket("far", backend=moto)
    s3 = account.s3()
    s3.put_bucket_cors(Bucket="far", CORSConfiguration={"CORSRules": RULES})
    put = call(account, "PUT", "/s3/far/k", b"content", headers=ORIGIN)
    assert (put.status, told(put)) == (200, ALLOWED)
    for headers in (ORIGIN, {**ORIGIN, "Range": "bytes=0-2"}):
        reply = call(account, "GET", "/s3/far/k", headers=headers)
        assert reply.status in (200, 206)
        assert told(reply) == ALLOWED
        assert reply.headers["x-amz-request-id"]
    none = call(account, "GET", "/s3/far/none", headers=ORIGIN)
    assert (none.status, told(none)) == (404, ALLOWED)
    assert told(call(account, "GET", "/s3/far/k")) == {}
