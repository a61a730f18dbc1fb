"""A form's policy: its signature in both versions, its time, its grammar, and each condition."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import HmacV1PostAuth, S3SigV4PostAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from defusedxml.ElementTree import fromstring

from storage.s3 import errors, post_policy
from storage.s3.errors import S3Error
from storage.s3.post_policy import Range

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
AKID, SECRET = "GKAAAAAAAAAAAAAAAAAA", "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
LATER = "2026-03-01T13:00:00Z"


def encoded(policy: Any) -> str:
    return base64.b64encode(json.dumps(policy).encode()).decode()


def signed(
    monkeypatch: pytest.MonkeyPatch, version: int, token: str | None = None, at: datetime = NOW
) -> dict[str, str]:
    """The fields that botocore makes, by the names it gives them in lower case."""
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: at.replace(tzinfo=None))
    request = AWSRequest("POST", "http://h/docs")
    request.context["s3-presign-post-fields"] = {"key": "k"}
    request.context["s3-presign-post-policy"] = {
        "expiration": LATER,
        "conditions": [{"bucket": "docs"}, {"key": "k"}],
    }
    credentials = Credentials(AKID, SECRET, token)
    auth = S3SigV4PostAuth(credentials, "s3", "eu-west-9") if version == 4 else HmacV1PostAuth(credentials)
    auth.add_auth(request)
    return {name.lower(): value for name, value in request.context["s3-presign-post-fields"].items()}


def admit(fields: dict[str, str], now: datetime = NOW, secret: str = SECRET) -> post_policy.Claim:
    claim = post_policy.read_claim(fields, now)
    assert claim is not None
    post_policy.prove(claim, secret)
    post_policy.check(claim.policy, {**fields, "bucket": "docs"}, now)
    return claim


def code_of(fields: dict[str, str], now: datetime = NOW, secret: str = SECRET) -> str:
    with pytest.raises(S3Error) as caught:
        admit(fields, now, secret)
    return caught.value.code


@pytest.mark.parametrize("version", [2, 4])
@pytest.mark.parametrize("token", [None, "the/token+="])
def test_what_botocore_signs_is_accepted(
    monkeypatch: pytest.MonkeyPatch, version: int, token: str | None
) -> None:
    fields = signed(monkeypatch, version, token)
    claim = admit(fields)
    assert (claim.access_key_id, claim.security_token) == (AKID, token or "")
    assert code_of(fields, secret="x") == "SignatureDoesNotMatch"
    name = "signature" if version == 2 else "x-amz-signature"
    for forged in ("0" * 64, "A" * 28, "not base64!", "ü", fields[name][:-2]):
        assert code_of({**fields, name: forged}) == "SignatureDoesNotMatch"
    other = encoded({"expiration": LATER, "conditions": []})
    assert code_of({**fields, "policy": other}) == "SignatureDoesNotMatch"
    assert code_of({**fields, "key": "other"}) == "AccessDenied"
    assert code_of({**fields, "x-amz-meta-a": "1"}) == "AccessDenied"
    if token:
        assert code_of({**fields, "x-amz-security-token": "another"}) == "AccessDenied"


def test_example_of_the_s3_documentation() -> None:
    policy = (
        "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6"
        "ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFj"
        "bCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tl"
        "dC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5"
        "cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZl"
        "ci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoN"
        "CiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVx"
        "dWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAx"
        "NTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9"
    )
    now = datetime(2015, 12, 29, 1, tzinfo=UTC)
    fields = {
        "key": "user/user1/a.png",
        "acl": "public-read",
        "content-type": "image/png",
        "success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html",
        "x-amz-meta-uuid": "14365123651274",
        "x-amz-server-side-encryption": "AES256",
        "x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-date": "20151229T000000Z",
        "policy": policy,
        "x-amz-signature": "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e",
    }
    claim = post_policy.read_claim(fields, now)
    assert claim is not None
    post_policy.prove(claim, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    post_policy.check(claim.policy, {**fields, "bucket": "sigv4examplebucket"}, now)


def test_no_claim_is_anonymous() -> None:
    empty = {"policy": "", "signature": "", "x-amz-date": "", "x-amz-signature": ""}
    assert post_policy.read_claim({"key": "k", **empty}, NOW) is None


@pytest.mark.parametrize("version", [2, 4])
def test_a_claim_is_whole_or_refused(monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    fields = signed(monkeypatch, version)
    for name in fields.keys() - {"key"}:
        for bent in ({**fields, name: ""}, {key: value for key, value in fields.items() if key != name}):
            with pytest.raises(S3Error) as caught:
                post_policy.read_claim(bent, NOW)
            assert caught.value.code == "InvalidArgument"
            assert caught.value.extra["ArgumentName"].lower() == name
    assert code_of({**fields, **signed(monkeypatch, 6 - version)}) == "InvalidArgument"


@pytest.mark.parametrize(
    "change",
    [
        {"x-amz-algorithm": "AWS4-ECDSA-P256-SHA256"},
        {"x-amz-date": "yesterday"},
        {"x-amz-credential": "no-slashes"},
        {"x-amz-credential": "A/20260301/r/sqs/aws4_request"},
        {"x-amz-credential": "A/20260301/r/s3/aws5_request"},
        {"x-amz-credential": "A/20260302/r/s3/aws4_request"},
        {"x-amz-credential": "A/x/r/s3/aws4_request"},
    ],
)
def test_a_malformed_claim(monkeypatch: pytest.MonkeyPatch, change: dict[str, str]) -> None:
    assert code_of({**signed(monkeypatch, 4), **change}) == "InvalidArgument"


def test_the_time_of_a_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    assert code_of(signed(monkeypatch, 4, at=NOW + timedelta(minutes=16))) == "AccessDenied"
    assert code_of(signed(monkeypatch, 4, at=NOW - timedelta(days=8))) == "AccessDenied"
    fields = signed(monkeypatch, 4)
    admit(fields, NOW + timedelta(minutes=59))
    assert code_of(fields, NOW + timedelta(minutes=60)) == "AccessDenied"


def check(conditions: Any, fields: dict[str, str], **policy: Any) -> Range | None:
    document = {"expiration": LATER, "conditions": conditions, **policy}
    return post_policy.check(encoded(document), fields, NOW)


@pytest.mark.parametrize(
    ("conditions", "fields"),
    [
        ([{"key": "k"}], {"key": "k"}),
        ([["eq", "$key", "k"]], {"key": "k"}),
        ([["EQ", "$KEY", "k"]], {"key": "k"}),
        ([{"KeY": "k"}], {"key": "k"}),
        ([["StArTs-WiTh", "$kEy", "us"]], {"key": "user"}),
        ([["starts-with", "$key", ""]], {"key": "anything"}),
        ([["starts-with", "$key", r"\$foo"]], {"key": r"\$foo.txt"}),
        ([["starts-with", "$x-amz-server-side-encryption", ""]], {}),
        ([["starts-with", "$content-type", "text/"]], {"content-type": "text/plain, text/html"}),
        ([], {"x-ignore-this": "x", "policy": "p", "signature": "s", "awsaccesskeyid": "a"}),
        ([], {"x-amz-checksum-sha256": "x", "x-amz-signature": "s"}),
    ],
)
def test_what_meets_its_conditions(conditions: Any, fields: dict[str, str]) -> None:
    assert check(conditions, fields) is None


@pytest.mark.parametrize(
    ("conditions", "fields"),
    [
        ([{"key": "k"}], {"key": "K"}),
        ([{"key": "k"}], {}),
        ([["starts-with", "$key", "us"]], {"key": "a/us"}),
        ([["starts-with", "$x-amz-meta-a", "b"]], {}),
        ([["eq", "$x-amz-meta-a", ""]], {"x-amz-meta-a": "b"}),
        ([["starts-with", "$content-type", "text/"]], {"content-type": "text/plain, image/png"}),
        ([["starts-with", "$key", "a"], ["starts-with", "$key", "ab"]], {"key": "ac"}),
        ([["eq", "key", "k"]], {"key": "k"}),
        ([], {"key": "k"}),
        ([], {"bucket": "docs"}),
        ([], {"x-amz-meta-a": "1"}),
        ([], {"x-amz-security-token": "t"}),
        ([], {"submit": "Upload"}),
    ],
)
def test_what_does_not_meet_its_conditions(conditions: Any, fields: dict[str, str]) -> None:
    with pytest.raises(S3Error, match="Invalid according to Policy") as caught:
        check(conditions, fields)
    assert caught.value.code == "AccessDenied"


def test_ranges() -> None:
    assert check([["content-length-range", 1, 10]], {}) == Range(1, 10)
    assert check([["Content-Length-Range", 0, 0]], {}) == Range(0, 0)
    assert check([["content-length-range", 1, 10], ["content-length-range", 5, 20]], {}) == Range(5, 10)


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"a": "b", "c": "d"},
        {"key": True},
        {"key": 1},
        "key",
        1,
        None,
        [],
        [1, "$key", "k"],
        [["eq"], "$key", "k"],
        ["invalid", "$key", "k"],
        ["eq", "$key"],
        ["eq", "$key", "k", "l"],
        ["eq", False, "k"],
        ["eq", "$key", True],
        ["starts-with", "$key", 1],
        ["content-length-range", 0],
        ["content-length-range", -1, 0],
        ["content-length-range", 10, 1],
        ["content-length-range", 12, False],
        ["content-length-range", "1", "14"],
        ["content-length-range", 1.5, 3],
    ],
)
def test_a_malformed_condition(condition: Any) -> None:
    with pytest.raises(S3Error, match="Invalid Policy") as caught:
        check([condition], {})
    assert caught.value.code == "InvalidPolicyDocument"


@pytest.mark.parametrize(
    "policy",
    [
        "",
        "not base64",
        base64.b64encode(b"\xff").decode(),
        base64.b64encode(b"not json").decode(),
        base64.b64encode(b"[" * 10_000).decode(),
        encoded([]),
        encoded(None),
        encoded({"conditions": []}),
        encoded({"expiration": LATER}),
        encoded({"expiration": LATER, "conditions": {}}),
        encoded({"EXPIRATION": LATER, "conditions": []}),
        encoded({"expiration": LATER, "CONDITIONS": []}),
        encoded({"expiration": LATER, "conditions": [], "extra": 1}),
        encoded({"expiration": LATER, "conditions": [], "\ud800": 1}),
        encoded({"expiration": "\udfff", "conditions": []}),
        encoded({"expiration": LATER, "conditions": [["\ud800", "$key", "k"]]}),
        *(
            encoded({"expiration": text, "conditions": []})
            for text in (
                "2026-03-01 13:00:00+00:00",
                "tomorrow",
                1,
                None,
                "2026-13-01T00:00:00Z",
                "2026-03-01T13:00Z",
            )
        ),
    ],
)
def test_a_malformed_policy(policy: str) -> None:
    with pytest.raises(S3Error) as caught:
        post_policy.check(policy, {}, NOW)
    assert caught.value.code == "InvalidPolicyDocument"
    fromstring(errors.document(caught.value, "/docs", "id", "host"))  # it can be told


def test_expiry() -> None:
    assert check([], {}, expiration="2026-03-01T12:00:01.000Z") is None
    for text in ("2026-03-01T12:00:00Z", "2026-03-01T11:59:59.999Z", "1970-01-01T00:00:00Z"):
        with pytest.raises(S3Error, match="Policy expired") as caught:
            check([], {}, expiration=text)
        assert caught.value.code == "AccessDenied"
