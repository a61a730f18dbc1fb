"""Requests to a tenant's backend go to addresses that were looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from storage.index import BucketInfo
from storage.providers import dialling as vetting
from storage.s3 import dialling, signing
from storage.s3.errors import S3Error
from storage.snapshot import BackendInfo

BUCKET = BucketInfo(1, 1, "docs", 1, "s3", "gh-docs", datetime(2026, 1, 1, tzinfo=UTC))
THEIRS = BackendInfo(1, "theirs", "s3", "http://storage.example:9000", may_be_private=False)
SECURE = replace(THEIRS, endpoint="https://storage.example")


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    dialling._kept.clear()
    yield
    dialling._kept.clear()


def stands_for(monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
    monkeypatch.setattr(vetting, "addresses", lambda host: list(found))


async def test_what_was_looked_at_is_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    stands_for(monkeypatch, "10.0.0.1", "198.41.0.4")
    where = signing.place(THEIRS, BUCKET, "k")
    assert await dialling.dial(THEIRS, where) == "198.41.0.4:9000"
    assert await dialling.target(THEIRS, where) == ("http://198.41.0.4:9000", "storage.example")
    stands_for(monkeypatch, "2001:500:2::c")
    dialling._kept.clear()
    assert await dialling.dial(THEIRS, where) == "[2001:500:2::c]:9000"


async def test_over_https_the_certificate_binds_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    stands_for(monkeypatch, "198.41.0.4")
    where = signing.place(SECURE, BUCKET, "k")
    assert await dialling.dial(SECURE, where) == "storage.example:443"
    assert await dialling.target(SECURE, where) == ("https://198.41.0.4:443", "storage.example")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "0.0.0.0"])
@pytest.mark.parametrize("backend", [THEIRS, SECURE], ids=["http", "https"])
async def test_a_name_that_is_pointed_inside_is_not_dialled(
    monkeypatch: pytest.MonkeyPatch, backend: BackendInfo, address: str
) -> None:
    stands_for(monkeypatch, address)
    where = signing.place(backend, BUCKET, "k")
    for ask in (dialling.dial, dialling.target):
        with pytest.raises(S3Error) as caught:
            await ask(backend, where)
        assert caught.value.code == "ServiceUnavailable"
    inside = replace(backend, may_be_private=True)
    assert await dialling.dial(inside, where) == where.dial


async def test_a_name_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    stands_for(monkeypatch)
    with pytest.raises(S3Error, match="does not resolve"):
        await dialling.dial(THEIRS, signing.place(THEIRS, BUCKET, "k"))
