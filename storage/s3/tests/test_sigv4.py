"""SigV4 against vectors that others published, against botocore's signer, and against each known trap."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from storage import temporary
from storage.s3 import claims, sigv4, sigv4_claim
from storage.s3.errors import S3Error

FOLDER = Path(__file__).parent / "vectors"
VECTORS = json.loads((FOLDER / "aws_c_auth_v4.json").read_text())
CASES = {case["name"]: case for case in VECTORS["cases"]}
OLDER = json.loads((FOLDER / "saibotsivad_v4.json").read_text())
# The suite signs these with path normalisation, which S3 alone of all services never does.
NORMALISED = {
    "get-relative-normalized",
    "get-relative-relative-normalized",
    "get-slash-dot-slash-normalized",
    "get-slash-normalized",
    "get-slash-pointless-dot-normalized",
    "get-slashes-normalized",
}
# A session token added after signing: the suite allows that, S3 calls it an unsigned header.
ADDED_LATER = {"post-sts-header-after"}
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
AKID, SECRET = "GKAAAAAAAAAAAAAAAAAA", "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"


def read(headers: dict[str, str], query: str, now: datetime) -> sigv4.Claim | None:
    claim = claims.read(headers, query, now, ("/docs/k",))
    assert claim is None or isinstance(claim, sigv4.Claim)
    return claim


def parse(text: str) -> tuple[str, str, str, dict[str, str]]:
    """Method, raw path, raw query and headers of a request as the suite writes it (UTF-8 on the wire)."""
    head = text.encode().decode("latin-1").partition("\n\n")[0]
    first, *lines = head.split("\n")
    method, _, target = first.removesuffix(" HTTP/1.1").partition(" ")
    headers: dict[str, str] = {}
    name = ""
    for line in filter(None, lines):
        if line[0] == " ":
            headers[name] += "\n" + line
            continue
        name, _, value = line.partition(":")
        name = name.lower()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    path, _, query = target.partition("?")
    return method, path, query, headers


def vector_claim(case: dict[str, Any], form: str) -> sigv4.Claim:
    lines = case[f"{form}_canonical_request"].split("\n")
    return sigv4.Claim(
        access_key_id=VECTORS["access_key_id"],
        timestamp=VECTORS["timestamp"],
        date=VECTORS["timestamp"][:8],
        region=VECTORS["region"],
        service=VECTORS["service"],
        signed_headers=tuple(lines[-2].split(";")),
        signature=case[f"{form}_signature"].strip(),
        payload_hash=lines[-1],
        presigned=form == "query",
    )


@pytest.mark.parametrize("form", ["header", "query"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_published_vectors(name: str, form: str) -> None:
    method, path, query, headers = parse(CASES[name][f"{form}_signed_request"])
    claim = vector_claim(CASES[name], form)
    if name in NORMALISED | ADDED_LATER:
        with pytest.raises(S3Error, match=r"SignatureDoesNotMatch|were not signed"):
            sigv4.prove(claim, VECTORS["secret_access_key"], method, path, query, headers)
        return
    sigv4.prove(claim, VECTORS["secret_access_key"], method, path, query, headers)
    forged = claim._replace(signature=claim.signature[:-1] + ("0" if claim.signature[-1] != "0" else "1"))
    with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
        sigv4.prove(forged, VECTORS["secret_access_key"], method, path, query, headers)


# Signed with path normalisation; and two whose stored signature is not that of their own canonical request.
OLDER_NORMALISED = {
    "get-relative",
    "get-relative-relative",
    "get-slash",
    "get-slash-dot-slash",
    "get-slash-pointless-dot",
    "get-slashes",
}
OLDER_BROKEN = {"post-x-www-form-urlencoded", "post-x-www-form-urlencoded-parameters"}


@pytest.mark.parametrize("case", OLDER["cases"], ids=lambda case: case["name"])
def test_an_older_edition_of_the_vectors(case: dict[str, Any]) -> None:
    method, path, query, headers = parse(case["signed_request"])
    given = dict(part.strip().split("=", 1) for part in headers["authorization"].split(" ", 2)[2].split(","))
    lines = {
        "header_canonical_request": case["canonical_request"],
        "header_signature": given["Signature"],
    }
    claim = vector_claim(lines, "header")
    if case["name"] in OLDER_NORMALISED | OLDER_BROKEN | ADDED_LATER:
        with pytest.raises(S3Error, match=r"SignatureDoesNotMatch|were not signed"):
            sigv4.prove(claim, OLDER["secret_access_key"], method, path, query, headers)
        return
    sigv4.prove(claim, OLDER["secret_access_key"], method, path, query, headers)


DOCUMENTED = datetime(2013, 5, 24, tzinfo=UTC)
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "signed", "signature"),
    [
        (
            "GET",
            "/test.txt",
            "",
            {"range": "bytes=0-9", "x-amz-content-sha256": EMPTY},
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test%24file.text",
            "",
            {
                "date": "Fri, 24 May 2013 00:00:00 GMT",
                "x-amz-storage-class": "REDUCED_REDUNDANCY",
                "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            },
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET",
            "/",
            "lifecycle",
            {"x-amz-content-sha256": EMPTY},
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET",
            "/",
            "max-keys=2&prefix=J",
            {"x-amz-content-sha256": EMPTY},
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_examples_of_the_s3_documentation(
    method: str, path: str, query: str, headers: dict[str, str], signed: str, signature: str
) -> None:
    headers = {
        "host": "examplebucket.s3.amazonaws.com",
        "x-amz-date": "20130524T000000Z",
        "authorization": "AWS4-HMAC-SHA256 "
        "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={signed},Signature={signature}",
        **headers,
    }
    claim = read(headers, query, DOCUMENTED)
    assert claim is not None
    sigv4.prove(claim, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", method, path, query, headers)


def test_presigned_example_of_the_s3_documentation() -> None:
    query = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F"
        "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    headers = {"host": "examplebucket.s3.amazonaws.com"}
    claim = read(headers, query, DOCUMENTED + timedelta(hours=23))
    assert claim is not None
    assert claim.presigned
    assert claim.payload_hash == sigv4.UNSIGNED
    sigv4.prove(claim, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "GET", "/test.txt", query, headers)


class Signed:
    """A request that botocore signed, as it would arrive here; tests then tamper with it."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        url: str = "http://127.0.0.1:8080/s3/docs/a%20b",
        *,
        method: str = "PUT",
        headers: dict[str, str] | None = None,
        expires: int | None = None,
        at: datetime = NOW,
        region: str = "us-east-1",
        secret: str = SECRET,
        payload: str = "",
        token: str | None = None,
    ) -> None:
        monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: at.replace(tzinfo=None))
        request = AWSRequest(method, url, headers=headers or {}, data=b"body" if expires is None else None)
        credentials = Credentials(AKID, secret, token)
        if expires is None:
            auth = S3SigV4Auth(credentials, "s3", region)
            if payload:
                monkeypatch.setattr(auth, "payload", lambda _: payload)
            auth.add_auth(request)
        else:
            S3SigV4QueryAuth(credentials, "s3", region, expires=expires).add_auth(request)
        parts = urlsplit(request.url)
        self.method, self.path, self.query = method, parts.path, parts.query
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        self.headers["host"] = parts.netloc

    def check(self, now: datetime = NOW) -> sigv4.Claim:
        claim = read(self.headers, self.query, now)
        assert claim is not None
        sigv4.prove(claim, SECRET, self.method, self.path, self.query, self.headers)
        return claim

    def refused(self, code: str, now: datetime = NOW) -> S3Error:
        with pytest.raises(S3Error) as caught:
            self.check(now)
        assert caught.value.code == code, caught.value
        return caught.value


URLS = [
    "http://h/s3/docs/a//x",
    "http://h/s3/docs/../a",
    "http://h/s3/docs/a%20b/%C3%BC%2B%25.txt",
    "http://h/s3/docs/(x)*'!~@:,;=&$",
    "http://h/s3/docs?list-type=2&prefix=a%2Bb%20c&delimiter=%2F",
    "http://h/s3/docs?uploads",
    "http://h/s3/docs/k?partNumber=2&uploadId=a-_b",
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("expires", [None, 60])
def test_what_botocore_signs_is_accepted(
    monkeypatch: pytest.MonkeyPatch, url: str, expires: int | None
) -> None:
    Signed(monkeypatch, url, expires=expires, region="mars-north-9").check()


@pytest.mark.parametrize(
    "mode",
    [
        "UNSIGNED-PAYLOAD",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "0" * 64,
    ],
)
@pytest.mark.parametrize("tamper", ["path", "query", "method", "header", "mode", "secret"])
def test_every_payload_mode_is_verified(monkeypatch: pytest.MonkeyPatch, mode: str, tamper: str) -> None:
    request = Signed(
        monkeypatch,
        headers={"X-Amz-Meta-A": "1"},
        payload=mode,
        secret="another" if tamper == "secret" else SECRET,
    )
    if tamper == "path":
        request.path += "x"
    elif tamper == "query":
        request.query = "acl"
    elif tamper == "method":
        request.method = "DELETE"
    elif tamper == "header":
        request.headers["x-amz-meta-a"] = "2"
    elif tamper == "mode":
        request.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD" if mode[0] != "U" else "1" * 64
    request.refused("SignatureDoesNotMatch")


@pytest.mark.parametrize("name", ["x-amz-copy-source", "x-amz-meta-owner", "x-amz-acl", "x-amz-date-2"])
@pytest.mark.parametrize("expires", [None, 60])
def test_an_unsigned_amz_header_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, expires: int | None
) -> None:
    request = Signed(monkeypatch, expires=expires)
    request.headers[name] = "x"
    assert request.refused("AccessDenied").extra == {"HeadersNotSigned": name}


def test_the_payload_hash_of_a_presigned_request_is_signed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    request = Signed(monkeypatch, expires=60)
    request.headers["x-amz-content-sha256"] = sigv4.UNSIGNED
    request.check()
    for mode in ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", EMPTY):
        request.headers["x-amz-content-sha256"] = mode
        request.refused("SignatureDoesNotMatch")


@pytest.mark.parametrize(
    ("seconds", "accepted"), [(-899, True), (899, True), (-901, False), (901, False), (86400, False)]
)
def test_clock_skew(monkeypatch: pytest.MonkeyPatch, seconds: int, accepted: bool) -> None:
    request = Signed(monkeypatch)
    now = NOW + timedelta(seconds=seconds)
    if accepted:
        request.check(now)
    else:
        request.refused("RequestTimeTooSkewed", now)


@pytest.mark.parametrize(
    ("seconds", "message"),
    [(0, ""), (59, ""), (61, "Request has expired"), (-899, ""), (-901, "Request is not yet valid")],
)
def test_presigned_times(monkeypatch: pytest.MonkeyPatch, seconds: int, message: str) -> None:
    request = Signed(monkeypatch, expires=60)
    now = NOW + timedelta(seconds=seconds)
    if message:
        assert request.refused("AccessDenied", now).message == message
    else:
        request.check(now)


@pytest.mark.parametrize(
    ("expires", "code"),
    [
        *((over, "AccessDenied") for over in ("0", "-1", "-1000")),
        *(
            (bad, "AuthorizationQueryParametersError")
            for bad in ("604801", "9" * 30, "1e3", "", "x", "--1", "٣")
        ),
    ],
)
def test_presigned_expiry_out_of_bounds(monkeypatch: pytest.MonkeyPatch, expires: str, code: str) -> None:
    request = Signed(monkeypatch, expires=60)
    request.query = request.query.replace("X-Amz-Expires=60", f"X-Amz-Expires={expires}")
    request.refused(code)


def test_seven_days_are_the_most_a_presigned_url_may_last(monkeypatch: pytest.MonkeyPatch) -> None:
    Signed(monkeypatch, expires=604800).check(NOW + timedelta(days=6, hours=23))


def test_both_places_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    request = Signed(monkeypatch)
    request.query = Signed(monkeypatch, expires=60).query
    request.refused("InvalidArgument")


@pytest.mark.parametrize(
    "name", ["X-Amz-Signature", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Credential"]
)
def test_presigned_parameters_count_once(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    request = Signed(monkeypatch, expires=60)
    request.query += f"&{name}=1"
    request.refused("AuthorizationQueryParametersError")
    request = Signed(monkeypatch, expires=60)
    request.query = "&".join(field for field in request.query.split("&") if not field.startswith(name + "="))
    request.refused("AuthorizationQueryParametersError")


GOOD = {"Credential": "A/20260301/r/s3/aws4_request", "SignedHeaders": "host", "Signature": EMPTY}


@pytest.mark.parametrize(
    "change",
    [
        {"Signature": "zz"},
        {"Signature": EMPTY.upper()},
        {"SignedHeaders": "x-amz-date"},
        {"SignedHeaders": "Host"},
        {"SignedHeaders": "host;host"},
        {"SignedHeaders": "x-amz-date;host"},
        {"Credential": "A/20260302/r/s3/aws4_request"},
        {"Credential": "A/20260301/r/sqs/aws4_request"},
        {"Credential": "A/20260301/r/s3/aws4_reques"},
        {"Credential": "A/b/20260301/r/s3/aws4_request"},
        {"Credential": "/20260301/r/s3/aws4_request"},
        {"Credential": "A"},
        {"Signature": f"{EMPTY}, Signature={EMPTY}"},
        {"Signature": f"{EMPTY}, Extra"},
        {"Signature": f"{EMPTY}, Extra=1"},
        {"Signature": ""},
        {"Credential": "A/2026-03-01/r/s3/aws4_request"},
    ],
)
def test_malformed_authorization(change: dict[str, str]) -> None:
    fields = ", ".join(f"{name}={value}" for name, value in (GOOD | change).items())
    headers = {
        "host": "h",
        "x-amz-date": "20260301T120000Z",
        "x-amz-content-sha256": EMPTY,
        "authorization": f"AWS4-HMAC-SHA256 {fields}",
    }
    with pytest.raises(S3Error) as caught:
        read(headers, "", NOW)
    assert caught.value.code == "AuthorizationHeaderMalformed"


@pytest.mark.parametrize(
    ("headers", "query", "code"),
    [
        ({"authorization": "Bearer mcp_x_y"}, "", "InvalidArgument"),
        ({"authorization": "AWS2-HMAC-SHA1 x"}, "", "InvalidArgument"),
        ({"authorization": "nothing"}, "", "InvalidArgument"),
        ({"authorization": "AWS4-ECDSA-P256-SHA256 Credential=x"}, "", "NotImplemented"),
        ({}, "X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256", "NotImplemented"),
        ({"authorization": "AWS A:c2ln"}, "AWSAccessKeyId=A&Signature=x&Expires=1", "InvalidArgument"),
        ({}, "X-Amz-Signature=x&AWSAccessKeyId=A&Signature=x&Expires=1", "InvalidArgument"),
        ({}, "X-Amz-Signature=x", "AuthorizationQueryParametersError"),
    ],
)
def test_other_mechanisms_are_refused(headers: dict[str, str], query: str, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        read(headers, query, NOW)
    assert caught.value.code == code


def test_no_claim_is_anonymous() -> None:
    assert read({"host": "h"}, "list-type=2&prefix=X-Amz-", NOW) is None
    assert read({"host": "h", "authorization": ""}, "prefix=Signature", NOW) is None
    assert read({"host": "h", "x-amz-security-token": "t"}, "", NOW) is None


@pytest.mark.parametrize("expires", [None, 60])
def test_a_session_token_is_part_of_the_claim_and_signed(
    monkeypatch: pytest.MonkeyPatch, expires: int | None
) -> None:
    request = Signed(monkeypatch, expires=expires, token="the-token/+=")
    assert request.check().security_token == "the-token/+="
    if expires is None:
        request.headers["x-amz-security-token"] = "another"
        request.refused("SignatureDoesNotMatch")
        del request.headers["x-amz-security-token"]
        request.refused("SignatureDoesNotMatch")
        request = Signed(monkeypatch)
        request.headers["x-amz-security-token"] = "added"
        request.refused("AccessDenied")
    else:
        request.headers["x-amz-security-token"] = "another"
        request.refused("InvalidRequest")
        del request.headers["x-amz-security-token"]
        request.query = request.query.replace("the-token", "another")
        request.refused("SignatureDoesNotMatch")


@pytest.mark.parametrize(
    "stamp", ["", "20260301T120000", "20261301T120000Z", "yesterday", "20260230T000000Z"]
)
def test_a_bad_date_is_refused(monkeypatch: pytest.MonkeyPatch, stamp: str) -> None:
    request = Signed(monkeypatch)
    request.headers["x-amz-date"] = stamp
    with pytest.raises(S3Error) as caught:
        request.check()
    assert caught.value.code in ("AccessDenied", "AuthorizationHeaderMalformed")


def test_header_values_are_trimmed_and_collapsed(monkeypatch: pytest.MonkeyPatch) -> None:
    request = Signed(monkeypatch, headers={"X-Amz-Meta-A": "one   two", "X-Amz-Meta-B": "1,2"})
    request.headers["x-amz-meta-a"] = "  one \t two "
    request.check()
    request.headers["x-amz-meta-b"] = "2,1"
    request.refused("SignatureDoesNotMatch")


def test_signing_keys_are_kept_per_secret() -> None:
    one = sigv4.signing_key("a", "20260301", "r", "s3")
    assert sigv4.signing_key("a", "20260301", "r", "s3") is one
    assert sigv4.signing_key("b", "20260301", "r", "s3") != one


def test_what_strangers_write_long_is_not_kept() -> None:
    kept = (sigv4_claim._kept_parts, sigv4_claim._kept_names, sigv4._reencoded, temporary._opened)
    before = [each.cache_info().currsize for each in kept]
    for number in range(3):
        names = ";".join(sorted(["host", *(f"x-{number}-{n:05}" for n in range(2000))]))
        claim = f"Credential={GOOD['Credential']}, SignedHeaders={names}, Signature={GOOD['Signature']}"
        headers = {
            "host": "h",
            "x-amz-date": "20260301T120000Z",
            "x-amz-content-sha256": EMPTY,
            "authorization": f"AWS4-HMAC-SHA256 {claim}",
        }
        found = read(headers, "", NOW)
        assert isinstance(found, sigv4.Claim)
        assert len(found.signed_headers) == 2001
        sigv4.canonical_query(f"prefix={number}+{'x' * 10_000}")
        assert temporary.opened("GTX", f"{number}{'x' * 8000}") is None
        headers["authorization"] = headers["authorization"].replace("/r/", f"/{'r' * 1000}{number}/")
        with pytest.raises(S3Error, match="Credential is mal-formed"):
            read(headers, "", NOW)
    # The short credential is one that tests and clients show again and again.
    after = [each.cache_info().currsize for each in kept]
    assert [b - a for a, b in zip(before, after, strict=True)] in ([0, 0, 0, 0], [1, 0, 0, 0])
