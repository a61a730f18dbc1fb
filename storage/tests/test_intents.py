"""Writes to a remote backend: journalled first, committed by the answer, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest

from gateway.decision.database import Database
from storage import errors
from storage.index import BucketInfo, DeleteCommit, ObjectIndex, PartRow, ends, multipart
from storage.index.lease import PROCESS
from storage.services.intents import PROCESSES
from tenants.models import Tenant

from .conftest import events, put, set_bucket, set_quota, usage


@pytest.fixture
def remote(tenant: Tenant, new_bucket: Callable[..., BucketInfo]) -> BucketInfo:
    return new_bucket(tenant, "far", "s3")


async def journal(db: Database) -> list[tuple[str, str, bool]]:
    async with db.wide() as conn:
        rows = await conn.fetch("SELECT kind, key, contested FROM storage_writeintent ORDER BY began_at")
    return [tuple(row) for row in rows]


async def test_a_confirmed_write_becomes_a_row(index: ObjectIndex, remote: BucketInfo, db: Database) -> None:
    intent = await index.begin_intent(
        put(remote, "k", size=10, inline=None, etag="", content_type="text/css", metadata={"a": "b"})
    )
    assert await journal(db) == [("put", "k", False)]
    assert await index.head(remote, "k") is None
    await index.commit_intent(intent, etag="e1")
    found = await index.head(remote, "k")
    assert found is not None
    assert (found.size, found.etag, found.content_type, found.metadata) == (10, "e1", "text/css", {"a": "b"})
    assert (found.blob, found.inline) == (None, None)
    await index.commit_intent(intent, etag="e1")  # as if the sweeper had been faster
    assert await journal(db) == []
    assert await events(db, remote.tenant_id) == [("storage.object.created", "far/k")]
    assert await usage(db, remote.tenant_id) == (10, 1, 0)

    gone = await index.begin_delete_intent(DeleteCommit(remote, "k", "tester"))
    await index.commit_intent(gone)
    assert await index.head(remote, "k") is None
    assert await usage(db, remote.tenant_id) == (0, 0, 0)


async def test_a_write_knows_the_process_that_began_it(
    index: ObjectIndex, remote: BucketInfo, db: Database
) -> None:
    await index.begin_intent(put(remote, "k"))
    other = ObjectIndex(db)
    await other.begin_intent(put(remote, "k"))
    async with db.wide() as conn:
        rows = await conn.fetch("SELECT holder FROM storage_writeintent ORDER BY began_at")
    mine, others = (row["holder"] for row in rows)
    assert mine != others
    async with asyncio.timeout(30):
        while not {mine, others} <= await _there(db):
            await asyncio.sleep(0.01)
        await other.close()
        while others in await _there(db):
            await asyncio.sleep(0.01)
    assert mine in await _there(db)


async def _there(db: Database) -> set[int]:
    async with db.wide() as conn:
        return {row[0] for row in await conn.fetch(PROCESSES.replace("%s", "$1"), PROCESS)}


async def test_what_was_lost_is_committed_when_its_answer_comes(
    index: ObjectIndex, remote: BucketInfo, db: Database
) -> None:
    await set_quota(db, remote.tenant_id, 100)
    answered = await index.begin_intent(put(remote, "a", size=90))
    async with db.wide() as conn:
        await conn.execute("UPDATE storage_writeintent SET kind = 'lost', ended_at = now()")
    ended = await index.begin_intent(put(remote, "b", size=90))  # what is lost counts nothing
    await index.commit_intent(answered, etag="e")
    async with db.wide() as conn:
        await conn.execute("UPDATE storage_writeintent SET kind = 'lost', ended_at = '2026-01-01'")
    await index.end_intent(ended)
    assert await journal(db) == [("put", "b", False)]
    assert (await usage(db, remote.tenant_id))[0] == 90


async def test_a_refused_write_leaves_nothing(index: ObjectIndex, remote: BucketInfo, db: Database) -> None:
    await index.abandon_intent(await index.begin_intent(put(remote, "k")))
    assert await journal(db) == []
    assert await events(db, remote.tenant_id) == []


@pytest.mark.parametrize("outcome", ["ended", "abandoned"])
async def test_an_end_is_told_once_the_database_is_back(
    index: ObjectIndex, remote: BucketInfo, db: Database, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    monkeypatch.setattr(ends, "PAUSE", 0.05)
    intent = await index.begin_intent(put(remote, "k"))
    for held in db._app._idle:
        await held.conn.close()
    with monkeypatch.context() as away:
        away.setattr(db._app, "_address", replace(db.address, port=1))
        await (index.end_intent(intent) if outcome == "ended" else index.abandon_intent(intent))
        await asyncio.sleep(0.2)
        assert await journal(db) == [("put", "k", False)]

    async def open_ones() -> int:
        async with db.wide() as conn:
            return int(await conn.fetchval("SELECT count(*) FROM storage_writeintent WHERE ended_at IS NULL"))

    async with asyncio.timeout(10):
        while await open_ones():
            await asyncio.sleep(0.02)
    assert await journal(db) == ([("put", "k", False)] if outcome == "ended" else [])


async def test_a_write_whose_caller_left_while_it_was_journalled_is_dropped(
    index: ObjectIndex, remote: BucketInfo, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ends, "PAUSE", 2.0)
    async with db.wide() as conn, conn.transaction():
        await conn.execute("LOCK TABLE storage_writeintent IN SHARE ROW EXCLUSIVE MODE")
        caller = asyncio.create_task(index.begin_intent(put(remote, "k")))
        await asyncio.sleep(0.2)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await asyncio.sleep(0.2)
    await index._begins.close()
    assert await journal(db) == [("put", "k", False)]
    async with asyncio.timeout(10):
        while await journal(db):
            await asyncio.sleep(0.02)


async def test_a_complete_that_could_not_name_its_upload_is_dropped(
    index: ObjectIndex, remote: BucketInfo, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ends, "PAUSE", 0.05)
    upload = await index.create_upload(put(remote, "big"), remote_id="their-id")
    with monkeypatch.context() as failing:
        failing.setattr(multipart, "COMPLETES", "SELECT $1::bigint / 0, $2::uuid, $3::uuid")
        with pytest.raises(asyncpg.DivisionByZeroError):
            await index.begin_intent(put(remote, "big"), upload)
    async with asyncio.timeout(10):
        while await journal(db):
            await asyncio.sleep(0.02)


async def test_a_bucket_that_is_gone_takes_no_intent(index: ObjectIndex, remote: BucketInfo) -> None:
    with pytest.raises(errors.BucketGone):
        await index.begin_intent(put(replace(remote, id=remote.id + 999), "k"))


async def test_what_is_announced_counts_against_the_quota(
    index: ObjectIndex, remote: BucketInfo, db: Database
) -> None:
    await set_quota(db, remote.tenant_id, 1000)
    results = await asyncio.gather(
        *(index.begin_intent(put(remote, f"k{n}", size=300)) for n in range(5)), return_exceptions=True
    )
    intents = [r for r in results if not isinstance(r, BaseException)]
    assert len(intents) == 3
    await set_quota(db, remote.tenant_id, 10)
    await asyncio.gather(
        *(index.commit_intent(i, etag="e") for i in intents)
    )  # it is there: never refused now
    assert await usage(db, remote.tenant_id) == (900, 3, 0)


async def test_an_overwrite_at_the_limit_is_no_further_object(
    index: ObjectIndex, remote: BucketInfo, db: Database
) -> None:
    await index.commit_intent(await index.begin_intent(put(remote, "k", size=900)), etag="e")
    await set_quota(db, remote.tenant_id, 1000)
    await set_bucket(db, remote, quota_objects=1)
    with pytest.raises(errors.QuotaReached):
        await index.begin_intent(put(remote, "other", size=1))
    first = await index.begin_intent(put(remote, "k", size=1000))
    with pytest.raises(errors.QuotaReached):  # what is replaced makes room once
        await index.begin_intent(put(remote, "k", size=1000))
    await index.commit_intent(first, etag="e2")
    with pytest.raises(errors.QuotaReached):
        await index.begin_intent(put(remote, "k", size=1001))
    await index.commit_intent(await index.begin_intent(put(remote, "k", size=5)), etag="e3")
    assert await usage(db, remote.tenant_id) == (5, 1, 0)
    await set_bucket(db, remote, versioning="Enabled")
    with pytest.raises(errors.QuotaReached):  # a version more
        await index.begin_intent(put(remote, "k", size=5))


async def test_what_parts_have_been_counted_for_is_not_counted_again(
    index: ObjectIndex, remote: BucketInfo, db: Database
) -> None:
    await set_quota(db, remote.tenant_id, 100)
    upload = await index.create_upload(put(remote, "big"), remote_id="their-id")
    part = PartRow(1, 90, "e", datetime.now(UTC).replace(microsecond=0))
    await index.record_part(remote, upload.id, part)
    whole = put(remote, "big", size=90, inline=None, etag="x-1", parts=[{"size": 90, "checksums": {}}])
    intent = await index.begin_intent(whole)
    with pytest.raises(errors.QuotaReached):
        await index.begin_intent(put(remote, "k", size=11))
    await index.begin_intent(put(remote, "k", size=10))
    await index.complete_upload(upload, whole, intent)
    assert await usage(db, remote.tenant_id) == (90, 1, 0)


async def test_overlapping_writes_of_a_key_are_verified(
    index: ObjectIndex, remote: BucketInfo, db: Database
) -> None:
    first = await index.begin_intent(put(remote, "k", size=1))
    second = await index.begin_intent(put(remote, "k", size=2))
    await index.commit_intent(second, etag="e2")
    await index.commit_intent(first, etag="e1")
    assert await journal(db) == [("verify", "k", True)]
    assert len(await events(db, remote.tenant_id)) == 2
    alone = await index.begin_intent(put(remote, "other", size=1))
    await index.commit_intent(alone, etag="e")
    assert len(await journal(db)) == 1


async def test_a_remote_upload_ends_with_its_intent(
    index: ObjectIndex, remote: BucketInfo, db: Database
) -> None:
    upload = await index.create_upload(put(remote, "big"), remote_id="their-id")
    assert (await index.get_upload(remote, "big", upload.id)).remote_id == "their-id"
    whole = put(remote, "big", size=70, inline=None, blob=None, etag="x-2")
    intent = await index.begin_intent(whole, upload)
    async with db.wide() as conn:
        assert (await conn.fetchval("SELECT completes FROM storage_writeintent")).hex == upload.id
    await index.complete_upload(upload, whole, intent)
    assert await journal(db) == []
    assert await usage(db, remote.tenant_id) == (70, 1, 0)
    assert len(await events(db, remote.tenant_id)) == 1


async def test_a_remote_upload_that_the_sweeper_saw_first_is_one_write(
    index: ObjectIndex, remote: BucketInfo, db: Database
) -> None:
    upload = await index.create_upload(put(remote, "big"), remote_id="their-id")
    whole = put(remote, "big", size=70, inline=None, blob=None, etag="x-2")
    intent = await index.begin_intent(whole)
    await index.commit_intent(intent, etag="x-2")
    await index.abort_upload(remote, "big", upload.id)  # which ends with its write
    await index.complete_upload(upload, whole, intent)
    assert await usage(db, remote.tenant_id) == (70, 1, 0)
    assert len(await events(db, remote.tenant_id)) == 1


@pytest.mark.parametrize("order", ["whole first", "other first"])
async def test_a_remote_upload_that_overlaps_another_write_is_verified(
    index: ObjectIndex, remote: BucketInfo, db: Database, order: str
) -> None:
    upload = await index.create_upload(put(remote, "k"), remote_id="their-id")
    part = PartRow(1, 70, "e", datetime.now(UTC).replace(microsecond=0))
    await index.record_part(remote, upload.id, part)
    whole = put(
        remote, "k", size=70, inline=None, blob=None, etag="", metadata={"a": "b"}, tags={"c": "d"},
        checksums={"crc32": "AAAAAA=="}, parts=[{"size": 70, "checksums": {}}],
    )  # fmt: skip
    intent = await index.begin_intent(whole)
    other = await index.begin_intent(put(remote, "k", size=1))
    if order == "other first":
        await index.commit_intent(other, etag="e")
    await index.complete_upload(upload, replace(whole, etag="x-1"), intent)
    found = await index.head(remote, "k")
    assert found is not None
    assert (found.etag, found.size, found.metadata, found.tags) == ("x-1", 70, {"a": "b"}, {"c": "d"})
    assert (found.checksums, found.parts) == (whole.checksums, whole.parts)
    if order == "whole first":
        await index.commit_intent(other, etag="e")
    assert await journal(db) == [("verify", "k", True)]
    assert (await usage(db, remote.tenant_id))[1:] == (1, 0)
    assert len(await events(db, remote.tenant_id)) == 2


async def test_many_at_once(index: ObjectIndex, remote: BucketInfo, db: Database) -> None:
    async def write(n: int) -> None:
        await index.commit_intent(
            await index.begin_intent(put(remote, f"k{n % 40}", size=n)), etag=uuid4().hex
        )

    await asyncio.gather(*(write(n) for n in range(120)))
    assert (await usage(db, remote.tenant_id))[1] == 40
    assert len(await events(db, remote.tenant_id)) == 120


async def test_one_batch_keeps_the_order_of_each_key(
    index: ObjectIndex, remote: BucketInfo, db: Database
) -> None:
    """The first commit holds the batcher, so what follows goes together: a key three times, a delete, and others."""
    await index.commit_intent(await index.begin_intent(put(remote, "old", size=7)), etag="old")
    first = await index.begin_intent(put(remote, "first", size=1))
    gone = await index.begin_delete_intent(DeleteCommit(remote, "old", "tester"))
    same = [await index.begin_intent(put(remote, "k", size=10 * n)) for n in (1, 2, 3)]
    other = await index.begin_intent(put(remote, "other", size=5, metadata={"a": "b"}))
    lost = await index.begin_intent(put(remote, "lost"))
    await index.abandon_intent(lost)
    committing = [index.commit_intent(intent, etag=f"e{n}") for n, intent in enumerate([first, *same, other])]
    *_, settled = await asyncio.gather(*committing, index.commit_intent(gone), index.commit_intent(lost))
    assert not settled
    rows = {key: await index.head(remote, key) for key in ("first", "k", "other", "old", "lost")}
    assert {key: row and (row.etag, row.size) for key, row in rows.items()} == {
        "first": ("e0", 1), "k": ("e3", 30), "other": ("e4", 5), "old": None, "lost": None,
    }  # fmt: skip
    assert rows["other"] is not None and rows["other"].metadata == {"a": "b"}
    assert await journal(db) == [("verify", "k", True)] * 2
    assert await usage(db, remote.tenant_id) == (36, 3, 0)
    told = await events(db, remote.tenant_id)
    assert told.count(("storage.object.created", "far/k")) == 3
    assert told.count(("storage.object.deleted", "far/old")) == 1 and len(told) == 7


async def test_versions_that_overlap_are_verified_for_their_order(
    index: ObjectIndex, remote: BucketInfo, db: Database
) -> None:
    await set_bucket(db, remote, versioning="Enabled")
    first = await index.begin_intent(put(remote, "first", size=1))
    same = [await index.begin_intent(put(remote, "k", size=n)) for n in (1, 2)]
    null = await index.begin_intent(put(remote, "k", size=4))
    await asyncio.gather(
        index.commit_intent(first, etag="e", version_id="v0"),
        *(index.commit_intent(intent, etag="e", version_id=f"v{n}") for n, intent in enumerate(same, 1)),
        index.commit_intent(null, etag="e", version_id="null"),
    )
    assert await journal(db) == [("verify", "k", True)] * 2
    assert await usage(db, remote.tenant_id) == (8, 4, 0)
    gone = [
        await index.begin_delete_intent(DeleteCommit(remote, "k", "tester", version_id=version_id))
        for version_id in ("v1", "v2")
    ]
    for intent in gone:  # who removes one version for good competes with nobody
        await index.commit_intent(intent)
    assert len(await journal(db)) == 2
