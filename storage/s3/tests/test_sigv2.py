"""Signature Version 2 against the documentation's examples, against botocore, and against each way to abuse it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import HmacV1Auth, HmacV1QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from storage.s3 import claims, headers, sigv2
from storage.s3.body import payload_of
from storage.s3.errors import S3Error

AKID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
DOMAIN = "s3.example.com"


def check(
    method: str,
    url: str,
    headers: dict[str, str],
    now: datetime,
    *,
    secret: str = SECRET,
) -> sigv2.Claim:
    """As the front does it; `url` is for DOMAIN, a bucket's subdomain of it, or another host."""
    parts = urlsplit(url)
    resources = sigv2.resources_of(parts.netloc, parts.path or "/", DOMAIN)
    claim = claims.read(headers, parts.query, now, resources)
    assert isinstance(claim, sigv2.Claim)
    sigv2.prove(claim, secret, method, parts.query, headers)
    return claim


def refused(code: str, *args: Any, **options: Any) -> S3Error:
    with pytest.raises(S3Error) as caught:
        check(*args, **options)
    assert caught.value.code == code, caught.value
    return caught.value


@pytest.mark.parametrize(
    ("method", "url", "headers", "signature"),
    [
        (
            "GET",
            "http://awsexamplebucket1.s3.example.com/photos/puppy.jpg",
            {"date": "Tue, 27 Mar 2007 19:36:42 +0000"},
            "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
        ),
        (
            "PUT",
            "http://awsexamplebucket1.s3.example.com/photos/puppy.jpg",
            {
                "date": "Tue, 27 Mar 2007 21:15:45 +0000",
                "content-type": "image/jpeg",
                "content-length": "94328",
            },
            "iqRzw+ileNPu1fhspnRs8nOjjIA=",
        ),
        (
            "GET",
            "http://awsexamplebucket1.s3.example.com/?prefix=photos&max-keys=50&marker=puppy",
            {"date": "Tue, 27 Mar 2007 19:42:41 +0000"},
            "m0WP8eCtspQl5Ahe6L1SozdX9YA=",
        ),
        (
            "GET",
            "http://awsexamplebucket1.s3.example.com/?acl",
            {"date": "Tue, 27 Mar 2007 19:44:46 +0000"},
            "82ZHiFIjc+WbcwFKGUVEQspPn+0=",
        ),
    ],
)
def test_examples_of_the_s3_documentation(
    method: str, url: str, headers: dict[str, str], signature: str
) -> None:
    headers = {**headers, "authorization": f"AWS {AKID}:{signature}"}
    now = datetime(2007, 3, 27, 19, 40, tzinfo=UTC)
    if "21:15" in headers["date"]:
        now = datetime(2007, 3, 27, 21, 15, tzinfo=UTC)
    claim = check(method, url, headers, now)
    assert (claim.access_key_id, claim.presigned) == (AKID, False)
    refused("SignatureDoesNotMatch", "HEAD", url, headers, now)


class Signed:
    """A request that botocore signed, as it would arrive here."""

    def __init__(
        self,
        url: str = f"http://{DOMAIN}/docs/a%20b",
        *,
        method: str = "PUT",
        headers: dict[str, str] | None = None,
        expires: int | None = 60,
        token: str | None = None,
        auth_path: str | None = None,
    ) -> None:
        request = AWSRequest(method, url, headers=headers or {}, auth_path=auth_path)
        credentials = Credentials(AKID, SECRET, token)
        if expires is None:
            HmacV1Auth(credentials).add_auth(request)
        else:
            HmacV1QueryAuth(credentials, expires=expires).add_auth(request)
        self.method, self.url = method, request.url
        self.headers = {}
        if expires is None:
            self.headers = {name.lower(): value for name, value in request.headers.items()}
        self.now = datetime.now(UTC)

    def check(self) -> sigv2.Claim:
        return check(self.method, self.url, self.headers, self.now)

    def refused(self, code: str) -> S3Error:
        return refused(code, self.method, self.url, self.headers, self.now)


URLS = [
    f"http://{DOMAIN}/",
    f"http://{DOMAIN}/docs/a//x",
    f"http://{DOMAIN}/docs/../a",
    f"http://{DOMAIN}/docs/a%20b/%C3%BC%2B%25.txt",
    f"http://{DOMAIN}/docs/(x)*'!~@:,;=&$",
    f"http://{DOMAIN}/docs?prefix=a%2Bb%20c&delimiter=%2F",
    f"http://{DOMAIN}/docs?uploads",
    f"http://{DOMAIN}/docs/k?partNumber=2&uploadId=a-_b",
    f"http://{DOMAIN}/docs/k?versionId=x&response-content-type=text%2Fplain&response-expires=a%20b",
    f"http://{DOMAIN}/docs/k?response-content-disposition=attachment%3B%20filename%3D%22%C3%BC.txt%22",
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("expires", [None, 60])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_what_botocore_signs_is_accepted(url: str, expires: int | None, method: str) -> None:
    signed = Signed(url, method=method, expires=expires)
    assert signed.check().access_key_id == AKID
    signed.method = "POST"
    signed.refused("SignatureDoesNotMatch")


@pytest.mark.parametrize(
    ("url", "auth_path"),
    [
        ("http://docs.s3.example.com/k/%2F", "/docs/k/%2F"),
        ("http://docs.s3.example.com/", "/docs/"),
        ("http://docs.s3.example.com/?acl", "/docs/"),
        (f"http://{DOMAIN}/docs", "/docs/"),
        (f"http://{DOMAIN}/docs?cors", "/docs/"),
        ("http://127.0.0.1/s3/docs/k", "/docs/k"),
        ("http://127.0.0.1/s3/docs", "/docs/"),
        ("http://127.0.0.1/s3", "/"),
        ("http://127.0.0.1/s3/", "/"),
        ("http://127.0.0.1/s3/", "/s3/"),
        ("http://127.0.0.1/s3/docs/k", "/s3/docs/k"),
    ],
)
def test_every_address_signs_the_same_resource(url: str, auth_path: str) -> None:
    for expires in (None, 60):
        Signed(url, auth_path=auth_path, expires=expires).check()


@pytest.mark.parametrize(
    "added",
    [
        "acl",
        "tagging",
        "legal-hold",
        "retention",
        "attributes",
        "encryption",
        "publicAccessBlock",
        "uploads",
        "uploadId=x",
        "versionId=x",
        "partNumber=1",
        "response-content-type=text%2Fhtml",
        "%61cl",
        "renameObject",
        "x-amz-copy-source=%2Fdocs%2Fsecret",
        "X-Amz-Copy-Source=%2Fdocs%2Fsecret",
        "%78-amz-copy-source=%2Fdocs%2Fsecret",
        "x-amz-security-token=t",
        "x-amz-acl=public-read",
    ],
)
def test_nothing_that_changes_its_meaning_can_be_added(added: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        signed = Signed(method=method)
        signed.url = signed.url.replace("?", f"?{added}&")
        signed.refused("SignatureDoesNotMatch")
        signed = Signed(method=method, expires=None)
        signed.url += f"?{added}"
        if "amz" not in added.lower():  # in a header-signed request such a parameter means nothing
            signed.refused("SignatureDoesNotMatch")


@pytest.mark.parametrize("name", ["x-amz-copy-source", "x-amz-meta-a", "x-amz-content-sha256", "content-md5"])
@pytest.mark.parametrize("expires", [None, 60])
def test_no_header_that_counts_can_be_added(name: str, expires: int | None) -> None:
    signed = Signed(expires=expires)
    signed.headers[name] = "x"
    signed.refused("SignatureDoesNotMatch")


def test_another_type_or_method_or_key_or_expiry_is_refused() -> None:
    signed = Signed(headers={"Content-Type": "text/plain"})
    signed.headers["content-type"] = "text/plain"
    signed.check()
    signed.headers["content-type"] = "text/html"
    signed.refused("SignatureDoesNotMatch")
    signed = Signed()
    signed.url = signed.url.replace("a%20b", "a%20c")
    signed.refused("SignatureDoesNotMatch")
    signed = Signed()
    expires = signed.url.rpartition("Expires=")[2].partition("&")[0]
    signed.url = signed.url.replace(f"Expires={expires}", f"Expires={int(expires) + 1}")
    signed.refused("SignatureDoesNotMatch")
    signed = Signed()
    refused("SignatureDoesNotMatch", signed.method, signed.url, {}, signed.now, secret="x")


def test_headers_that_were_moved_into_the_query_count() -> None:
    signed = Signed(headers={"x-amz-acl": "private", "x-amz-meta-a": "one  two"})
    assert "x-amz-acl=private" in signed.url
    query = {"x-amz-acl": "private", "x-amz-meta-a": "one  two", "Signature": "x"}
    meant = claims.meant(signed.check(), {"host": "h"}, query)
    assert meant == {"host": "h", "x-amz-acl": "private", "x-amz-meta-a": "one  two"}
    signed.headers["x-amz-acl"] = "private"
    signed.check()
    signed.headers["x-amz-acl"] = "public-read"
    signed.refused("SignatureDoesNotMatch")


@pytest.mark.parametrize("expires", [None, 60])
def test_a_session_token_is_part_of_the_claim_and_signed(expires: int | None) -> None:
    signed = Signed(token="the/token+=", expires=expires)
    claim = signed.check()
    assert claim.security_token == "the/token+="
    assert "x-amz-security-token" not in claims.meant(claim, signed.headers, {"x-amz-security-token": "t"})
    signed.headers["x-amz-security-token"] = "another"
    signed.refused("SignatureDoesNotMatch")


def test_expiry() -> None:
    signed = Signed(expires=60)
    signed.now += timedelta(seconds=59)
    signed.check()
    signed.now += timedelta(seconds=3)
    error = signed.refused("AccessDenied")
    assert error.message == "Request has expired"
    assert error.extra.keys() == {"Expires", "ServerTime"}


@pytest.mark.parametrize(
    "query",
    [
        "AWSAccessKeyId=A",
        "Signature=x",
        "AWSAccessKeyId=A&Signature=x",
        "AWSAccessKeyId=A&Signature=x&Expires=",
        "AWSAccessKeyId=A&Signature=x&Expires=tomorrow",
        "AWSAccessKeyId=A&Signature=x&Expires=-1",
        "AWSAccessKeyId=A&Signature=x&Expires=1e12",
        "AWSAccessKeyId=A&Signature=x&Expires=99999999999999999999",
        "AWSAccessKeyId=A&Signature=x&Expires=999999999999",
        "AWSAccessKeyId=A&Signature=x&Expires=٣",
        "AWSAccessKeyId=A&Signature=x&Expires=1&Expires=99999999999",
        "AWSAccessKeyId=A&AWSAccessKeyId=B&Signature=x&Expires=99999999999",
    ],
)
def test_a_malformed_query(query: str) -> None:
    refused("AccessDenied", "GET", f"http://{DOMAIN}/docs/k?{query}", {}, datetime.now(UTC))


@pytest.mark.parametrize("value", ["AWS x", "AWS x:", "AWS :x", "AWS  "])
def test_a_malformed_header(value: str) -> None:
    headers = {"authorization": value, "x-amz-date": "20260301T120000Z"}
    refused("InvalidArgument", "GET", f"http://{DOMAIN}/", headers, datetime.now(UTC))


@pytest.mark.parametrize(
    ("date", "code"),
    [
        ("", "AccessDenied"),
        ("Bad Date", "AccessDenied"),
        ("Tue, 07 Jul 1950 21:53:04 GMT", "AccessDenied"),
        ("Tue, 07 Jul 2010 21:53:04 GMT", "RequestTimeTooSkewed"),
        ("Tue, 07 Jul 2095 21:53:04 GMT", "RequestTimeTooSkewed"),
        ("Tue, 07 Jul 9999 21:53:04 GMT", "RequestTimeTooSkewed"),
    ],
)
@pytest.mark.parametrize("name", ["date", "x-amz-date"])
def test_a_date_that_is_none_or_not_now(date: str, code: str, name: str) -> None:
    headers = {"authorization": "AWS A:c2ln", name: date}
    refused(code, "GET", f"http://{DOMAIN}/", headers, datetime.now(UTC))
    refused("AccessDenied", "GET", f"http://{DOMAIN}/", {"authorization": "AWS A:c2ln"}, datetime.now(UTC))


def test_what_is_signed_of_the_body() -> None:
    assert Signed(expires=None).check().payload_hash == "UNSIGNED-PAYLOAD"
    mode = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    claim = Signed(expires=None, headers={"x-amz-content-sha256": mode}).check()
    assert payload_of(claim.payload_hash).is_signed_in_chunks


@pytest.mark.parametrize(
    ("name", "value"),
    [("x-amz-meta-a: b\r\nx-gw-action", "file"), ("x-amz-meta-a", "b\r\nc: d"), ("X-Amz-Meta-a b", "c")],
)
def test_a_parameter_that_is_no_header_is_refused(name: str, value: str) -> None:
    with pytest.raises(S3Error, match="cannot be a header"):
        sigv2.headers_of({}, {name: value})
    with pytest.raises(S3Error, match="cannot be a header"):
        headers.kept({name.lower(): value})
