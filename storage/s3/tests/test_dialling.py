"""Requests to a tenant's backend go to addresses that were looked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event

import pytest
import pytest_asyncio

from gateway.decision.names import Names
from storage.index import BucketInfo
from storage.s3 import dialling, signing
from storage.s3.errors import S3Error
from storage.snapshot import BackendInfo

BUCKET = BucketInfo(1, 1, "docs", 1, "s3", "gh-docs", datetime(2026, 1, 1, tzinfo=UTC))
THEIRS = BackendInfo(1, "theirs", "s3", "http://storage.example:9000", may_be_private=False)
SECURE = replace(THEIRS, endpoint="https://storage.example")


@pytest_asyncio.fixture
async def names() -> AsyncIterator[Names]:
    made = Names()
    yield made
    await made.close()


def stands_for(monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
    monkeypatch.setattr("gateway.decision.names.resolved", lambda host: list(found))


async def test_what_was_looked_at_is_dialled(monkeypatch: pytest.MonkeyPatch, names: Names) -> None:
    stands_for(monkeypatch, "10.0.0.1", "198.41.0.4")
    where = signing.place(THEIRS, BUCKET, "k")
    assert await dialling.dial(THEIRS, where, names) == "198.41.0.4:9000"
    assert await dialling.target(THEIRS, where, names) == ("http://198.41.0.4:9000", "storage.example")
    stands_for(monkeypatch, "2001:500:2::c")
    assert await dialling.dial(THEIRS, where, Names()) == "[2001:500:2::c]:9000"


async def test_over_https_the_certificate_binds_the_name(
    monkeypatch: pytest.MonkeyPatch, names: Names
) -> None:
    stands_for(monkeypatch, "198.41.0.4")
    where = signing.place(SECURE, BUCKET, "k")
    assert await dialling.dial(SECURE, where, names) == "storage.example:443"
    assert await dialling.target(SECURE, where, names) == ("https://198.41.0.4:443", "storage.example")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "0.0.0.0"])
@pytest.mark.parametrize("backend", [THEIRS, SECURE], ids=["http", "https"])
async def test_a_name_that_is_pointed_inside_is_not_dialled(
    monkeypatch: pytest.MonkeyPatch, names: Names, backend: BackendInfo, address: str
) -> None:
    stands_for(monkeypatch, address)
    where = signing.place(backend, BUCKET, "k")
    for ask in (dialling.dial, dialling.target):
        with pytest.raises(S3Error) as caught:
            await ask(backend, where, names)
        assert caught.value.code == "ServiceUnavailable"
    inside = replace(backend, may_be_private=True)
    assert await dialling.dial(inside, where, names) == where.dial


async def test_a_name_that_is_gone(monkeypatch: pytest.MonkeyPatch, names: Names) -> None:
    stands_for(monkeypatch)
    with pytest.raises(S3Error, match="does not resolve"):
        await dialling.dial(THEIRS, signing.place(THEIRS, BUCKET, "k"), names)


async def test_a_backend_of_staffs_is_looked_up_for_it_alone_too(
    monkeypatch: pytest.MonkeyPatch, names: Names
) -> None:
    """Its own client takes any of the addresses, and asks nobody else for them."""
    stands_for(monkeypatch, "::1", "127.0.0.1")
    shared = replace(THEIRS, may_be_private=True)
    where = signing.place(shared, BUCKET, "k")
    assert await dialling.target(shared, where, names) == ("http://storage.example:9000", None)
    stands_for(monkeypatch)
    assert [one["host"] for one in await names.resolve("storage.example", 9000)] == ["::1", "127.0.0.1"]
    with pytest.raises(S3Error, match="does not resolve"):
        await dialling.target(shared, where, Names())


async def test_names_that_stall_hurt_their_own_backend_alone(
    monkeypatch: pytest.MonkeyPatch, names: Names
) -> None:
    patience = "gateway.decision.names.RESOLVE_SECONDS"
    monkeypatch.setattr(patience, 60)
    go_on = Event()

    def stalls(host: str) -> list[str]:
        if host.endswith("stalls.example"):
            go_on.wait(60)
        return ["198.41.0.4"]

    monkeypatch.setattr("gateway.decision.names.resolved", stalls)
    stalled = replace(THEIRS, endpoint="http://stalls.example:9000", path_style=False, tenant_id=1)
    tenants_other = replace(THEIRS, id=2, path_style=False, tenant_id=1)
    buckets = [replace(BUCKET, backend_bucket=f"gh-{n}") for n in range(40)]

    async def ask(backend: BackendInfo, bucket: BucketInfo) -> str:
        try:
            return await dialling.dial(backend, signing.place(backend, bucket, "k"), names)
        except S3Error as error:
            return error.code

    try:
        waiting = [asyncio.create_task(ask(stalled, bucket)) for bucket in buckets[1:] for _ in range(3)]
        await asyncio.sleep(0.1)
        assert await ask(tenants_other, BUCKET) == "198.41.0.4:9000"
        assert not any(one.done() for one in waiting)
        monkeypatch.setattr(patience, 0.1)
        assert await ask(stalled, buckets[0]) == "ServiceUnavailable"  # the threads are at the others
        monkeypatch.setattr(patience, 60)
    finally:
        go_on.set()
    assert set(await asyncio.gather(*waiting)) == {"198.41.0.4:9000"}
    assert await ask(stalled, buckets[0]) == "198.41.0.4:9000"
