"""Writers of two processes at one key: exactly one wins where only one may, and what is left is one history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.decision.database import Database
from storage import errors
from storage.index import BucketInfo, DeleteCommit, Expected, ObjectIndex

from .conftest import events, put, set_bucket, usage


@pytest.fixture
async def other(db: Database) -> AsyncIterator[ObjectIndex]:
    """Another process's index, with batches of its own."""
    made = ObjectIndex(db)
    yield made
    await made.close()


async def test_if_none_match_lets_exactly_one_win(
    index: ObjectIndex, other: ObjectIndex, bucket: BucketInfo, db: Database
) -> None:
    async def race(n: int) -> None:
        rivals = [
            who.commit_put(put(bucket, f"k{n}", body, expected=Expected(absent=True)))
            for who, body in ((index, b"one"), (other, b"other"))
        ]
        results: list[Any] = await asyncio.gather(*rivals, return_exceptions=True)
        refused = [isinstance(result, errors.PreconditionFailed) for result in results]
        assert sorted(refused) == [False, True]
        assert await index.head(bucket, f"k{n}") == results[refused.index(False)]

    await asyncio.gather(*(race(n) for n in range(100)))
    assert len(await events(db, bucket.tenant_id)) == 100
    assert (await usage(db, bucket.tenant_id))[1] == 100


async def test_if_match_is_a_chain_without_a_lost_update(
    index: ObjectIndex, other: ObjectIndex, bucket: BucketInfo
) -> None:
    """Each reads, adds one and writes what it read plus one, until it was the one to write."""
    await index.commit_put(put(bucket, "counter", b"0", etag="0"))

    async def add(who: ObjectIndex) -> None:
        while True:
            found = await who.head(bucket, "counter")
            assert found is not None
            following = str(int(found.inline or b"0") + 1)
            try:
                await who.commit_put(
                    put(
                        bucket,
                        "counter",
                        following.encode(),
                        etag=following,
                        expected=Expected(etag=found.etag),
                    )
                )
            except errors.PreconditionFailed:
                continue
            return

    await asyncio.gather(*(add(who) for who in (index, other) for _ in range(8)))
    found = await index.head(bucket, "counter")
    assert found is not None
    assert found.inline == b"16"


async def test_puts_and_deletes_of_versions_leave_one_history(
    index: ObjectIndex, other: ObjectIndex, bucket: BucketInfo, db: Database
) -> None:
    await set_bucket(db, bucket, versioning="Enabled")
    made: list[str] = []

    async def live(who: ObjectIndex, n: int) -> None:
        made.append((await who.commit_put(put(bucket, "k", b"x" * n))).version_id)
        marked = await who.delete_object(DeleteCommit(bucket, "k", "tester"))
        gone = await who.delete_object(DeleteCommit(bucket, "k", "tester", made[n % len(made)]))
        if n % 3 == 0:
            await who.delete_object(DeleteCommit(bucket, "k", "tester", marked.version_id))
        elif n % 3 == 1 and gone.existed:
            await who.delete_object(DeleteCommit(bucket, "k", "tester", made[-1]))

    await asyncio.gather(*(live(who, n) for n in range(20) for who in (index, other)))
    page = await index.list_versions(bucket)
    assert [row.is_latest for row in page.versions] == [True] + [False] * (len(page.versions) - 1)
    latest = await index.latest(bucket, "k")
    assert latest is not None
    assert latest.version_id == page.versions[0].version_id
    assert (await index.head(bucket, "k") is None) == latest.is_delete_marker
    await usage(db, bucket.tenant_id)
    for row in page.versions:
        await other.delete_object(DeleteCommit(bucket, "k", "tester", row.version_id))
    assert await usage(db, bucket.tenant_id) == (0, 0, 0)
    assert await index.latest(bucket, "k") is None


async def test_a_bucket_that_begins_to_keep_versions_loses_none(
    index: ObjectIndex, other: ObjectIndex, bucket: BucketInfo, db: Database
) -> None:
    """Whoever writes after the setting's commit, by whatever it knew of the bucket, keeps what was there."""

    async def write(who: ObjectIndex) -> None:
        for n in range(10):
            await who.commit_put(put(bucket, "k", bytes([n])))

    await asyncio.gather(write(index), write(other), set_bucket(db, bucket, versioning="Enabled"))
    async with db.wide() as conn:
        written = await conn.fetch(
            "SELECT data->>'version_id' AS version FROM realtime_event"
            " WHERE type = 'storage.object.created' ORDER BY id"
        )
    ids = [row["version"] for row in written]
    first_kept = next((n for n, version in enumerate(ids) if version), len(ids))
    assert all(ids[first_kept:])
    page = await index.list_versions(bucket)
    assert [row.version_id for row in page.versions if row.version_id != "null"] == ids[first_kept:][::-1]
