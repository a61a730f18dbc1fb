"""The document of CORS; what its rules mean is storage/tests/test_cors.py."""

from __future__ import annotations

import pytest

from storage.s3.documents import cors
from storage.s3.errors import S3Error

WHOLE = (
    b'<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><CORSRule><ID>one</ID>'
    b"<AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod>"
    b"<AllowedOrigin>https://*.example.org</AllowedOrigin><AllowedHeader>*</AllowedHeader>"
    b"<ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule></CORSConfiguration>"
)
RULE = {
    "ID": "one",
    "AllowedMethods": ["GET", "PUT"],
    "AllowedOrigins": ["https://*.example.org"],
    "AllowedHeaders": ["*"],
    "ExposeHeaders": ["ETag"],
    "MaxAgeSeconds": 3000,
}


def test_read_checked_and_written() -> None:
    assert cors.read(WHOLE) == [RULE]
    assert cors.check([RULE]) == [RULE]
    assert cors.write([RULE]).endswith(WHOLE)


def rule(method: str = "GET", origin: str = "*", more: str = "") -> str:
    return f"<CORSRule><AllowedMethod>{method}</AllowedMethod><AllowedOrigin>{origin}</AllowedOrigin>{more}</CORSRule>"


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ("", "MalformedXML"),
        ("<CORSRule/>", "MalformedXML"),
        ("<CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule>", "MalformedXML"),
        (rule() * 101, "MalformedXML"),
        (rule("PATCH"), "InvalidRequest"),
        (rule("get"), "InvalidRequest"),
        (rule(origin="*.a.*"), "InvalidRequest"),
        (rule(origin="http://a\u00e4"), "InvalidRequest"),
        (rule(more="<AllowedHeader>x-*-*</AllowedHeader>"), "InvalidRequest"),
        (rule(more="<ExposeHeader>x-*</ExposeHeader>"), "InvalidRequest"),
        (rule(more="<ExposeHeader>a&#10;b: c</ExposeHeader>"), "InvalidRequest"),
        (rule(more="<MaxAgeSeconds>-1</MaxAgeSeconds>"), "MalformedXML"),
        (rule(more="<MaxAgeSeconds>soon</MaxAgeSeconds>"), "MalformedXML"),
        (rule(more=f"<ID>{'x' * 256}</ID>"), "MalformedXML"),
    ],
)
def test_no_rules(rules: str, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        cors.read(f"<CORSConfiguration>{rules}</CORSConfiguration>".encode())
    assert caught.value.code == code


@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        "x",
        [None],
        [{}],
        [RULE | {"AllowedMethods": "GET"}],
        [RULE | {"AllowedMethods": []}],
        [RULE | {"MaxAgeSeconds": True}],
        [RULE | {"MaxAgeSeconds": "1"}],
        [RULE | {"Other": 1}],
        [RULE | {"ID": 1}],
    ],
)
def test_no_json(given: object) -> None:
    with pytest.raises(S3Error) as caught:
        cors.check(given)
    assert caught.value.code == "MalformedXML"
