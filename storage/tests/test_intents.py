"""Writes to a remote backend: journalled first, committed by the answer, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from gateway.decision.database import Database
from storage import errors
from storage.index import BucketInfo, DeleteCommit, ObjectIndex
from tenants.models import Tenant

from .conftest import events, put, set_quota, usage


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


async def test_a_refused_write_leaves_nothing(index: ObjectIndex, remote: BucketInfo, db: Database) -> None:
    await index.abandon_intent(await index.begin_intent(put(remote, "k")))
    assert await journal(db) == []
    assert await events(db, remote.tenant_id) == []


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
    intent = await index.begin_intent(whole)
    await index.complete_upload(upload, whole, intent)
    assert await journal(db) == []
    assert await usage(db, remote.tenant_id) == (70, 1, 0)
    assert len(await events(db, remote.tenant_id)) == 1


async def test_many_at_once(index: ObjectIndex, remote: BucketInfo, db: Database) -> None:
    async def write(n: int) -> None:
        await index.commit_intent(
            await index.begin_intent(put(remote, f"k{n % 40}", size=n)), etag=uuid4().hex
        )

    await asyncio.gather(*(write(n) for n in range(120)))
    assert (await usage(db, remote.tenant_id))[1] == 40
    assert len(await events(db, remote.tenant_id)) == 120
