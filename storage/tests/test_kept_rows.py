"""Rows kept in memory are never older than what was acknowledged, whoever wrote it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection

from gateway.db.scope import tenant_scope
from gateway.decision.database import Database, DatabaseBusy
from storage.index import BucketInfo, DeleteCommit, ObjectIndex
from storage.index import lease as leases
from storage.index.rows import Rows, row_key
from storage.services import buckets, objects
from tenants.models import Tenant
from tenants.principal import Principal
from tests import factories

from .conftest import put


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease is had soon, and a machine that stands still for a moment loses none."""
    monkeypatch.setattr(leases, "PAUSE", 0.2)
    monkeypatch.setattr(leases, "TRUST", 60.0)
    monkeypatch.setattr(leases, "PATIENCE", 30.0)


@pytest.fixture
async def keeper(db: Database) -> AsyncIterator[ObjectIndex]:
    made = ObjectIndex(db, keep=1 << 20)
    await until(lambda: made._kept.lease.keeping)
    yield made
    await made.close()


async def until(true: Callable[[], Any], limit: float = 30) -> None:
    for _ in range(int(limit / 0.01)):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true in time")


def count_queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    from storage.index import listing

    asked: list[str] = []
    real = listing.head

    async def head(conn: Any, bucket: BucketInfo, key: str) -> Any:
        asked.append(key)
        return await real(conn, bucket, key)

    monkeypatch.setattr(listing, "head", head)
    return asked


async def test_a_row_is_read_once(
    keeper: ObjectIndex, bucket: BucketInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = count_queries(monkeypatch)
    await keeper.commit_put(put(bucket, "k", b"one"))
    rows = [await keeper.head(bucket, "k") for _ in range(5)]
    assert asked == ["k"]
    assert all(row == rows[0] for row in rows)
    await keeper.commit_put(put(bucket, "k", b"two"))
    found = await keeper.head(bucket, "k")
    assert found is not None
    assert found.inline == b"two"
    await keeper.delete_object(DeleteCommit(bucket, "k", "tester"))
    assert await keeper.head(bucket, "k") is None


async def test_remote_rows_are_not_kept(
    keeper: ObjectIndex, tenant: Tenant, new_bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = await in_thread(new_bucket, tenant, "far", "s3")
    await keeper.commit_intent(await keeper.begin_intent(put(remote, "k")), "e")
    asked = count_queries(monkeypatch)
    for _ in range(3):
        await keeper.head(remote, "k")
    assert len(asked) == 3


async def test_no_reader_sees_less_than_was_acknowledged(keeper: ObjectIndex, bucket: BucketInfo) -> None:
    """Writers count up; a reader that starts after an acknowledgement never finds a smaller number."""
    acknowledged = {f"k{n}": 0 for n in range(4)}
    reads = 0

    def enough() -> bool:
        return reads > 3000 and min(acknowledged.values()) > 30

    async def write(key: str) -> None:
        number = 0
        while not enough():
            number += 1
            await keeper.commit_put(put(bucket, key, str(number).encode()))
            acknowledged[key] = number
            if random.random() < 0.3:
                await asyncio.sleep(0.003)

    async def read() -> None:
        nonlocal reads
        while not enough():
            key = random.choice(list(acknowledged))
            least = acknowledged[key]
            found = await keeper.head(bucket, key)
            assert int(found.inline or b"0" if found else b"0") >= least
            reads += 1
            if random.random() < 0.1:
                await asyncio.sleep(0)

    await asyncio.gather(*(write(key) for key in acknowledged), *(read() for _ in range(8)))


async def test_a_second_process_ends_keeping_until_it_goes(
    keeper: ObjectIndex, bucket: BucketInfo, db: Database
) -> None:
    await keeper.commit_put(put(bucket, "k", b"0"))
    assert await keeper.head(bucket, "k") is not None
    second = ObjectIndex(db, keep=1 << 20)
    for number in range(1, 20):
        writer, reader = random.choice([(keeper, second), (second, keeper)])
        await writer.commit_put(put(bucket, "k", str(number).encode()))
        for each in (reader, writer):
            found = await each.head(bucket, "k")
            assert found is not None
            assert found.inline == str(number).encode()
    assert not keeper._kept.lease.keeping
    assert not second._kept.lease.keeping
    await second.close()
    await until(lambda: keeper._kept.lease.keeping)


async def test_a_delete_by_the_api_is_seen_at_once(keeper: ObjectIndex, tenant: Tenant, db: Database) -> None:
    def prepare() -> tuple[Principal, BucketInfo]:
        from storage.services import backends

        backends.ensure_default_backends()
        admin = factories.member(tenant)
        with tenant_scope(tenant.pk):
            made = buckets.create_bucket("docs", actor=admin)
        return admin, BucketInfo(made.pk, tenant.pk, "docs", 0, "local", "", made.created_at)

    def delete(admin: Principal, key: str) -> None:
        with tenant_scope(tenant.pk):
            objects.delete_object(buckets.get_bucket("docs", actor=admin), key, actor=admin)

    admin, bucket = await in_thread(prepare)
    for number in range(5):
        key = f"k{number}"
        await keeper.commit_put(put(bucket, key))
        await until(lambda: keeper._kept.lease.keeping)
        assert await keeper.head(bucket, key) is not None
        assert keeper._kept.rows.get(row_key(bucket, key)) is not None
        await in_thread(delete, admin, key)
        assert await keeper.head(bucket, key) is None


async def test_a_lost_connection_ends_keeping_at_once_and_writing_until_it_is_back(
    keeper: ObjectIndex, bucket: BucketInfo, db: Database
) -> None:
    await keeper.commit_put(put(bucket, "k"))
    await keeper.head(bucket, "k")

    login = await db.address.connect(None)
    await login.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE classid = $1 AND objid = $2 AND locktype = 'advisory'",
        *leases.LOCK,
    )
    await login.close()
    await until(lambda: not keeper._kept.lease.keeping)
    assert keeper._kept.rows.get(row_key(bucket, "k")) is None
    await keeper.commit_put(put(bucket, "k", b"after"))
    await until(lambda: keeper._kept.lease.keeping)


async def test_a_process_that_does_not_let_go_is_not_waited_for_for_ever(
    keeper: ObjectIndex, bucket: BucketInfo, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "PATIENCE", 0.3)
    monkeypatch.setattr(leases, "SOMEBODY_WAITS", "SELECT $1::int + $2::int < 0")  # it never looks
    second = ObjectIndex(db)
    with pytest.raises(DatabaseBusy):
        await second.commit_put(put(bucket, "k"))
    await second.close()


async def test_a_stalled_process_trusts_nothing(
    keeper: ObjectIndex, bucket: BucketInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper._kept.lease, "_loop", Later(leases.TRUST + 0.1))
    assert not keeper._kept.lease.keeping


class Later:
    """The loop's clock, ahead of what the lease knows."""

    def __init__(self, by: float) -> None:
        self._by, self._loop = by, asyncio.get_running_loop()

    def time(self) -> float:
        return self._loop.time() + self._by


async def test_an_unknown_outcome_is_not_trusted(
    keeper: ObjectIndex, bucket: BucketInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    from storage.index import commits

    async def lost(*_: object, **__: object) -> None:
        raise TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(commits, "commit_changes", lost)
        with pytest.raises(TimeoutError):
            await keeper.commit_put(put(bucket, "k"))
    assert not keeper._kept.lease.keeping


def test_rows_stay_within_their_bytes(bucket: BucketInfo) -> None:
    from datetime import UTC, datetime

    from storage.index import ObjectRow

    rows = Rows(100_000)
    for number in range(1000):
        name = row_key(bucket, f"k{number}")
        row = ObjectRow(bucket.id, name[2], 4000, "e", "t", datetime.now(UTC), inline=b"x" * 4000)
        rows.end_read(name, rows.begin_read(name), row)
        assert rows._bytes <= 100_000
    assert rows.get(row_key(bucket, "k999")) is not None
    assert rows.get(row_key(bucket, "k0")) is None
    rows.forget(row_key(bucket, f"k{n}") for n in range(1000))
    assert (rows._bytes, len(rows._rows), len(rows._reading)) == (0, 0, 0)


def test_what_a_row_says_of_its_parts_counts(bucket: BucketInfo) -> None:
    from datetime import UTC, datetime

    from storage.index import ObjectRow

    rows = Rows(1 << 20)
    plain = ObjectRow(bucket.id, "k", 1, "e", "t", datetime.now(UTC))
    for number, row in enumerate(
        (
            replace(plain, parts=[{"size": 1, "checksums": {"crc32": "x" * 8}} for _ in range(150)]),
            replace(plain, sse={"mode": "own", "salts": "s" * 100_000}),
            replace(plain, tags={f"t{n}": "v" * 256 for n in range(10)}),
        )
    ):
        before = rows._bytes
        name = row_key(bucket, f"k{number}")
        rows.end_read(name, rows.begin_read(name), row)
        assert rows._bytes - before > (90_000, 100_000, 4000)[number]
    name = row_key(bucket, "large")
    many = replace(plain, parts=[{"size": 1, "checksums": {}} for _ in range(10_000)])
    rows.end_read(name, rows.begin_read(name), many)
    assert rows.get(name) is None, "an eighth of all is the most"


async def in_thread(work: Callable[..., Any], *args: Any) -> Any:
    def run() -> Any:
        try:
            return work(*args)
        finally:
            connection.close()

    return await asyncio.to_thread(run)


class Wire:
    """A relay to the database that can be cut, as a server that is killed cuts it: without a word."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._open: list[asyncio.StreamWriter] = []

    async def start(self) -> int:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1")
        return int(self.server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def close(self) -> None:
        self.server.close()
        self.cut()
        await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._to)
        self._open += [writer, far_writer]
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))

    async def _copy(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(1 << 16):
                to.write(data)
                await to.drain()
        to.transport.abort()


async def test_writes_go_on_after_whatever_cuts_the_lock_off(
    db: Database, bucket: BucketInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "POLL", 0.0)
    monkeypatch.setattr(leases, "PAUSE", 0.01)
    wire = Wire(db.address.host, db.address.port)
    through = Database(replace(db.address, port=await wire.start()))
    index = ObjectIndex(through, keep=1 << 20)
    chance = random.Random(7)
    try:
        for _ in range(60):
            await until(lambda: index._kept.lease._may_write.is_set())
            await asyncio.sleep(chance.random() * 0.02)
            wire.cut()
            await asyncio.sleep(0)
        await until(lambda: index._kept.lease._may_write.is_set())
        await index.commit_put(put(bucket, "k", b"after"))
    finally:
        await index._kept.lease.close()
        await through.close()
        await wire.close()
