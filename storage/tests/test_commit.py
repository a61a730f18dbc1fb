"""Committing puts and deletes: row, usage, garbage and event together, also among many others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from gateway.decision.database import Database
from storage import errors
from storage.index import BucketInfo, DeleteCommit, Expected, ObjectIndex
from tenants.models import Tenant
from tests import factories

from .conftest import events, put, set_quota, usage

MakeBucket = Callable[..., BucketInfo]


async def test_what_was_put_is_read_at_once(index: ObjectIndex, bucket: BucketInfo, db: Database) -> None:
    committed = await index.commit_put(
        put(
            bucket,
            "a b/ü+%.txt",
            b"hello",
            content_type="text/plain; charset=utf-8",
            metadata={"x": "ÿ\u2028"},
            headers={"cache-control": "no-store"},
            checksums={"crc32": "AAAAAA=="},
        )
    )
    found = await index.head(bucket, "a b/ü+%.txt")
    assert found == committed
    assert found.inline == b"hello"
    assert found.metadata == {"x": "ÿ\u2028"}
    assert await usage(db, bucket.tenant_id) == (5, 1, 0)
    assert await events(db, bucket.tenant_id) == [("storage.object.created", "docs/a b/ü+%.txt")]


async def test_nothing_there_is_none(index: ObjectIndex, bucket: BucketInfo) -> None:
    assert await index.head(bucket, "nothing") is None


async def test_the_event_says_what_was_written(index: ObjectIndex, bucket: BucketInfo, db: Database) -> None:
    await index.commit_put(put(bucket, "k", b"four", etag="e", content_type="text/css"))
    await index.delete_object(DeleteCommit(bucket, "k", "somebody"))
    async with db.wide() as conn:
        rows = await conn.fetch(
            "SELECT actor, source, data::text FROM realtime_event WHERE type LIKE 'storage.o%' ORDER BY id"
        )
    assert [row["actor"] for row in rows] == ["tester", "somebody"]
    assert {row["source"] for row in rows} == {"storage"}
    assert [json.loads(row["data"]) for row in rows] == [
        {"bucket": "docs", "key": "k", "size": 4, "etag": "e", "content_type": "text/css"},
        {"bucket": "docs", "key": "k", "size": 4},
    ]


async def test_overwriting_counts_once_and_leaves_the_old_blob_to_the_sweep(
    index: ObjectIndex, bucket: BucketInfo, db: Database
) -> None:
    first, second = uuid4().hex, uuid4().hex
    await index.commit_put(put(bucket, "k", size=100, blob=first, inline=None))
    await index.commit_put(put(bucket, "k", size=30, blob=second, inline=None))
    found = await index.head(bucket, "k")
    assert found is not None
    assert (found.size, found.blob) == (30, second)
    assert await usage(db, bucket.tenant_id) == (30, 1, 0)
    async with db.wide() as conn:
        rows = await conn.fetch(
            "SELECT blob, due_at > now() + interval '1 minute' AS later FROM storage_blobgarbage"
        )
    assert [tuple(row) for row in rows] == [(first, True)]


async def test_deleting_frees_and_tells_once(index: ObjectIndex, bucket: BucketInfo, db: Database) -> None:
    await index.commit_put(put(bucket, "k"))
    assert (await index.delete_object(DeleteCommit(bucket, "k", "tester"))).existed
    assert not (await index.delete_object(DeleteCommit(bucket, "k", "tester"))).existed
    assert await index.head(bucket, "k") is None
    assert await usage(db, bucket.tenant_id) == (0, 0, 0)
    assert [kind for kind, _ in await events(db, bucket.tenant_id)] == [
        "storage.object.created",
        "storage.object.deleted",
    ]


async def test_a_crowd_commits_together_and_exactly(
    index: ObjectIndex, bucket: BucketInfo, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    inner = index._changes._commit

    async def counted(tenant_id: int, changes: Any) -> Any:
        sizes.append(len(changes))
        return await inner(tenant_id, changes)

    monkeypatch.setattr(index._changes, "_commit", counted)

    async def life(n: int) -> None:
        key = f"k{n % 50}"
        await index.commit_put(put(bucket, key, b"x" * n))
        found = await index.head(bucket, key)
        assert found is not None  # nobody deletes k0..k49 below 400
        if n >= 400:
            await index.commit_put(put(bucket, f"gone{n}", b"y" * n))
            assert await index.delete_object(DeleteCommit(bucket, f"gone{n}", "tester"))

    await asyncio.gather(*(life(n) for n in range(500)))
    counted_bytes, objects, _ = await usage(db, bucket.tenant_id)
    assert objects == 50
    assert counted_bytes == sum(range(450, 500))  # each key's last put won
    assert len(await events(db, bucket.tenant_id)) == 700
    assert sum(sizes) == 700
    assert max(sizes) > 10


async def test_two_processes_keep_usage_exact(index: ObjectIndex, bucket: BucketInfo, db: Database) -> None:
    other = ObjectIndex(db)

    async def churn(who: ObjectIndex, n: int) -> None:
        await who.commit_put(put(bucket, f"k{n % 7}", b"z" * (n + 1)))
        if n % 3 == 0:
            await who.delete_object(DeleteCommit(bucket, f"k{(n + 1) % 7}", "tester"))

    await asyncio.gather(*(churn(who, n) for n in range(100) for who in (index, other)))
    await other.close()
    await usage(db, bucket.tenant_id)  # asserts itself


async def test_the_quota_is_exact_within_a_batch(
    index: ObjectIndex, bucket: BucketInfo, db: Database
) -> None:
    await set_quota(db, bucket.tenant_id, 1000)
    results = await asyncio.gather(
        *(index.commit_put(put(bucket, f"k{n}", b"x" * 300)) for n in range(10)), return_exceptions=True
    )
    refused = [r for r in results if isinstance(r, errors.QuotaReached)]
    assert len(refused) == 7
    assert await usage(db, bucket.tenant_id) == (900, 3, 0)
    assert len(await events(db, bucket.tenant_id)) == 3
    # What shrinks is always let in; what grows only as far as there is room.
    await index.commit_put(put(bucket, "k0", b"x" * 200))
    await index.commit_put(put(bucket, "k0", b"x" * 400))
    with pytest.raises(errors.QuotaReached):
        await index.commit_put(put(bucket, "k0", b"x" * 401))
    assert not await index.fits(bucket.tenant_id, 1)
    await set_quota(db, bucket.tenant_id, None)
    assert await index.fits(bucket.tenant_id, 1 << 50)


async def test_a_bucket_deleted_meanwhile_refuses_its_own_puts_only(
    index: ObjectIndex, bucket: BucketInfo, new_bucket: MakeBucket, tenant: Tenant, db: Database
) -> None:
    async with db.wide() as conn:
        gone = await conn.fetchval(
            "INSERT INTO storage_bucket (public_id, tenant_id, name, created_at, created_by, versioning, object_lock,"
            " encryption, policy, cors, tags, lifecycle, notifications, location, ownership)"
            " VALUES (gen_random_uuid(), $1, 'gone', now(), '', '', false, '', '', '[]', '{}', '[]', '{}', '', '')"
            " RETURNING id",
            tenant.pk,
        )
        await conn.execute("DELETE FROM storage_bucket WHERE id = $1", gone)
    lost = BucketInfo(gone, tenant.pk, "gone", bucket.backend_id, "local", "", bucket.created_at)
    results = await asyncio.gather(
        *(index.commit_put(put(bucket if n % 2 else lost, f"k{n}")) for n in range(20)),
        return_exceptions=True,
    )
    assert [isinstance(r, errors.BucketGone) for r in results] == [n % 2 == 0 for n in range(20)]
    assert (await usage(db, tenant.pk))[1] == 10


async def test_a_value_that_the_database_refuses_fails_alone(
    index: ObjectIndex, bucket: BucketInfo, db: Database
) -> None:
    results = await asyncio.gather(
        *(index.commit_put(put(bucket, "bad\x00" if n == 5 else f"k{n}")) for n in range(20)),
        return_exceptions=True,
    )
    assert [type(r) for r in results if isinstance(r, Exception)] == [asyncpg.CharacterNotInRepertoireError]
    assert (await usage(db, bucket.tenant_id))[1] == 19


async def test_conditions_hold_against_rivals(index: ObjectIndex, bucket: BucketInfo, db: Database) -> None:
    rivals = [put(bucket, "k", bytes([n]), expected=Expected(absent=True)) for n in range(20)]
    results = await asyncio.gather(*map(index.commit_put, rivals), return_exceptions=True)
    assert sum(isinstance(r, errors.PreconditionFailed) for r in results) == 19
    found = await index.head(bucket, "k")
    assert found is not None
    await index.commit_put(put(bucket, "k", b"next", expected=Expected(etag=found.etag)))
    for etag in (found.etag, "other"):
        with pytest.raises(errors.PreconditionFailed):
            await index.commit_put(put(bucket, "k", b"late", expected=Expected(etag=etag)))
    with pytest.raises(errors.PreconditionFailed):
        await index.commit_put(put(bucket, "absent", b"late", expected=Expected(etag="any")))


async def test_a_caller_that_goes_away_leaves_its_commit(
    index: ObjectIndex, bucket: BucketInfo, db: Database
) -> None:
    task = asyncio.create_task(index.commit_put(put(bucket, "k")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await index.close()
    assert await index.head(bucket, "k") is not None


async def test_another_tenants_bucket_is_gone_to_me(
    index: ObjectIndex, bucket: BucketInfo, db: Database
) -> None:
    """Even a BucketInfo that was mixed up reaches no foreign row: row security and the function both refuse."""
    foreign = await asyncio.to_thread(_tenant)
    mixed = BucketInfo(bucket.id, foreign, bucket.name, bucket.backend_id, "local", "", bucket.created_at)
    await index.commit_put(put(bucket, "k"))
    assert await index.head(mixed, "k") is None
    assert (await index.list_objects(mixed)).contents == []
    with pytest.raises(errors.BucketGone):
        await index.commit_put(put(mixed, "k"))
    with pytest.raises(errors.BucketGone):
        await index.delete_object(DeleteCommit(mixed, "k", "tester"))


def _tenant() -> int:
    from django.db import connection

    try:
        return factories.tenant().pk
    finally:
        connection.close()
