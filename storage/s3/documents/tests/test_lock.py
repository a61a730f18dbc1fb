"""The documents of object lock."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from storage.s3.documents import lock
from storage.s3.errors import S3Error


def configuration(retention: str, enabled: str = "Enabled") -> bytes:
    return (
        f"<ObjectLockConfiguration><ObjectLockEnabled>{enabled}</ObjectLockEnabled><Rule><DefaultRetention>"
        f"{retention}</DefaultRetention></Rule></ObjectLockConfiguration>"
    ).encode()


@pytest.mark.parametrize(
    ("retention", "found"),
    [
        ("<Mode>GOVERNANCE</Mode><Days>1</Days>", {"mode": "GOVERNANCE", "days": 1}),
        ("<Mode>COMPLIANCE</Mode><Years>100</Years>", {"mode": "COMPLIANCE", "years": 100}),
    ],
)
def test_a_default(retention: str, found: dict[str, object]) -> None:
    assert lock.read(configuration(retention)) == found
    assert lock.check(found) == found
    assert lock.read(lock.write(found)) == found


def test_no_default() -> None:
    bare = (
        b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>"
    )
    assert lock.read(bare) is None
    assert b"<ObjectLockEnabled>Enabled</ObjectLockEnabled></Object" in lock.write(None)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (configuration("<Mode>GOVERNANCE</Mode><Days>1</Days>", "Disabled"), "MalformedXML"),
        (configuration("<Mode>governance</Mode><Days>1</Days>"), "MalformedXML"),
        (configuration("<Days>1</Days>"), "MalformedXML"),
        (configuration("<Mode>GOVERNANCE</Mode>"), "MalformedXML"),
        (configuration("<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>"), "MalformedXML"),
        (configuration("<Mode>GOVERNANCE</Mode><Days>0</Days>"), "InvalidRetentionPeriod"),
        (configuration("<Mode>GOVERNANCE</Mode><Years>-1</Years>"), "InvalidRetentionPeriod"),
        (configuration("<Mode>GOVERNANCE</Mode><Days>36501</Days>"), "InvalidRetentionPeriod"),
        (configuration("<Mode>GOVERNANCE</Mode><Years>101</Years>"), "InvalidRetentionPeriod"),
        (b"<ObjectLockConfiguration/>", "MalformedXML"),
    ],
)
def test_no_configuration(body: bytes, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        lock.read(body)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "given", [None, [], {}, {"mode": "GOVERNANCE"}, {"mode": "GOVERNANCE", "days": "1"}, {"Mode": 1}]
)
def test_no_json(given: object) -> None:
    with pytest.raises(S3Error):
        lock.check(given)


def test_retention() -> None:
    body = b"<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2030-01-02T03:04:05+01:00</RetainUntilDate></Retention>"
    found = lock.read_retention(body)
    assert found == lock.Retention("COMPLIANCE", datetime(2030, 1, 2, 2, 4, 5, tzinfo=UTC))
    assert found is not None and lock.read_retention(lock.write_retention(found)) == found
    assert lock.read_retention(b"<Retention/>") is None


@pytest.mark.parametrize(
    "inner",
    [
        "<Mode>COMPLIANCE</Mode>",
        "<RetainUntilDate>2030-01-01</RetainUntilDate>",
        "<Mode>abc</Mode><RetainUntilDate>2030-01-01</RetainUntilDate>",
        "<Mode>COMPLIANCE</Mode><RetainUntilDate>soon</RetainUntilDate>",
    ],
)
def test_no_retention(inner: str) -> None:
    with pytest.raises(S3Error) as caught:
        lock.read_retention(f"<Retention>{inner}</Retention>".encode())
    assert caught.value.code == "MalformedXML"


def test_a_hold() -> None:
    assert lock.read_hold(lock.write_hold(held=True))
    assert not lock.read_hold(lock.write_hold(held=False))
    with pytest.raises(S3Error):
        lock.read_hold(b"<LegalHold><Status>on</Status></LegalHold>")
