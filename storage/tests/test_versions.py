"""Buckets that keep versions: what a put, a delete and the deletion of a version leave, and in which order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from gateway.decision.database import Database
from storage import errors
from storage.index import BucketInfo, DeleteCommit, DeleteOutcome, Expected, ObjectIndex, commits
from tenants.models import Tenant

from .conftest import events, put, set_bucket, set_quota, usage


@pytest.fixture
async def versioned(bucket: BucketInfo, db: Database) -> BucketInfo:
    await set_bucket(db, bucket, versioning="Enabled")
    return bucket


def delete(
    bucket: BucketInfo, key: str = "k", version_id: str | None = None, **fields: object
) -> DeleteCommit:
    return DeleteCommit(bucket, key, "tester", version_id, **fields)  # type: ignore[arg-type]


async def chain(db: Database, bucket: BucketInfo, key: str = "k") -> list[tuple[str, bool, bool]]:
    """(version id, is a delete marker, is the newest) of the key's versions by their sequence, newest first."""
    async with db.wide() as conn:
        rows = await conn.fetch(
            "SELECT version_id, version_seq, false AS marker, true AS newest FROM storage_object"
            " WHERE bucket_id = $1 AND key = $2 UNION ALL"
            " SELECT version_id, version_seq, is_delete_marker, noncurrent_since IS NULL FROM storage_objectversion"
            " WHERE bucket_id = $1 AND key = $2 ORDER BY version_seq DESC",
            bucket.id,
            key,
        )
    assert [row["newest"] for row in rows] == [n == 0 for n in range(len(rows))]
    assert len({row["version_seq"] for row in rows}) == len(rows)
    return [(row["version_id"], row["marker"], row["newest"]) for row in rows]


async def versions(db: Database, bucket: BucketInfo, key: str = "k") -> list[str]:
    return [f"{version}!" if marker else version for version, marker, _ in await chain(db, bucket, key)]


async def test_each_put_is_a_version(index: ObjectIndex, versioned: BucketInfo, db: Database) -> None:
    first = await index.commit_put(put(versioned, "k", b"one", tags={"a": "b"}))
    second = await index.commit_put(put(versioned, "k", b"second", parts=[{"size": 6, "checksums": {}}]))
    assert len(first.version_id) == 32
    assert first.version_id != second.version_id
    assert await index.head(versioned, "k") == second
    assert await index.latest(versioned, "k") == second
    old = await index.find_version(versioned, "k", first.version_id)
    assert (old.inline, old.is_latest, old.tags) == (b"one", False, {"a": "b"})
    assert await versions(db, versioned) == [second.version_id, first.version_id]
    assert await usage(db, versioned.tenant_id) == (9, 2, 0)
    with pytest.raises(errors.VersionGone):
        await index.find_version(versioned, "k", "other")


async def test_what_was_there_before_is_the_null_version(
    index: ObjectIndex, bucket: BucketInfo, db: Database
) -> None:
    before = await index.commit_put(put(bucket, "k", b"before"))
    assert before.version_id == "null"
    await set_bucket(db, bucket, versioning="Enabled")
    after = await index.commit_put(put(bucket, "k"))
    assert await versions(db, bucket) == [after.version_id, "null"]
    assert (await index.find_version(bucket, "k", "null")).inline == b"before"


async def test_a_delete_marks_and_its_removal_brings_back(
    index: ObjectIndex, versioned: BucketInfo, db: Database
) -> None:
    made = await index.commit_put(put(versioned, "k"))
    marked = await index.delete_object(delete(versioned))
    assert (marked.existed, marked.delete_marker) == (True, True)
    assert marked.version_id is not None
    assert await index.head(versioned, "k") is None
    latest = await index.latest(versioned, "k")
    assert latest is not None
    assert (latest.version_id, latest.is_delete_marker, latest.is_latest) == (marked.version_id, True, True)
    again = await index.delete_object(delete(versioned))
    assert await versions(db, versioned) == [
        f"{again.version_id}!",
        f"{marked.version_id}!",
        made.version_id,
    ]
    assert await usage(db, versioned.tenant_id) == (5, 1, 0)
    for marker in (again, marked):
        gone = await index.delete_object(delete(versioned, version_id=marker.version_id))
        assert gone == DeleteOutcome(True, marker.version_id, delete_marker=True)
    assert await index.head(versioned, "k") == made
    assert await versions(db, versioned) == [made.version_id]


async def test_where_nothing_is_a_marker_stands_too(
    index: ObjectIndex, versioned: BucketInfo, db: Database
) -> None:
    marked = await index.delete_object(delete(versioned))
    assert await versions(db, versioned) == [f"{marked.version_id}!"]
    made = await index.commit_put(put(versioned, "k"))
    assert await versions(db, versioned) == [made.version_id, f"{marked.version_id}!"]
    await index.delete_object(delete(versioned, version_id=made.version_id))
    assert await versions(db, versioned) == [f"{marked.version_id}!"]
    assert await index.head(versioned, "k") is None


async def test_deleting_versions_one_by_one(index: ObjectIndex, versioned: BucketInfo, db: Database) -> None:
    blobs = [uuid4().hex for _ in range(3)]
    made = [await index.commit_put(put(versioned, "k", size=10, blob=b, inline=None)) for b in blobs]
    ids = [row.version_id for row in made]
    assert await index.delete_object(delete(versioned, version_id=ids[1])) == DeleteOutcome(True, ids[1])
    assert await versions(db, versioned) == [ids[2], ids[0]]
    assert not (await index.delete_object(delete(versioned, version_id=ids[1]))).existed
    await index.delete_object(delete(versioned, version_id=ids[2]))
    assert await index.head(versioned, "k") == made[0]
    await index.delete_object(delete(versioned, version_id=ids[0]))
    assert await chain(db, versioned) == []
    assert await index.latest(versioned, "k") is None
    assert await usage(db, versioned.tenant_id) == (0, 0, 0)
    async with db.wide() as conn:
        garbage = await conn.fetch("SELECT blob FROM storage_blobgarbage")
    assert sorted(row["blob"] for row in garbage) == sorted(blobs)


async def test_suspended_only_the_null_version_is_replaced(
    index: ObjectIndex, versioned: BucketInfo, db: Database
) -> None:
    kept = await index.commit_put(put(versioned, "k", b"kept"))
    await set_bucket(db, versioned, versioning="Suspended")
    for body in (b"one", b"longer"):
        assert (await index.commit_put(put(versioned, "k", body))).version_id == "null"
    assert await versions(db, versioned) == ["null", kept.version_id]
    assert await index.delete_object(delete(versioned)) == DeleteOutcome(True, "null", delete_marker=True)
    assert await index.delete_object(delete(versioned)) == DeleteOutcome(True, "null", delete_marker=True)
    assert await versions(db, versioned) == ["null!", kept.version_id]
    await index.commit_put(put(versioned, "k", b"again"))
    assert await versions(db, versioned) == ["null", kept.version_id]
    assert await usage(db, versioned.tenant_id) == (9, 2, 0)
    # A null version among the others goes when a new one comes.
    await set_bucket(db, versioned, versioning="Enabled")
    newer = await index.commit_put(put(versioned, "k"))
    assert await versions(db, versioned) == [newer.version_id, "null", kept.version_id]
    await set_bucket(db, versioned, versioning="Suspended")
    await index.delete_object(delete(versioned))
    assert await versions(db, versioned) == ["null!", newer.version_id, kept.version_id]


async def test_events_name_the_version(index: ObjectIndex, versioned: BucketInfo, db: Database) -> None:
    made = await index.commit_put(put(versioned, "k", b"four", etag="e", content_type="text/css"))
    marked = await index.delete_object(delete(versioned))
    await index.delete_object(delete(versioned, version_id=marked.version_id))
    await index.delete_object(delete(versioned, version_id=made.version_id))
    await index.delete_object(delete(versioned, version_id=made.version_id))
    async with db.wide() as conn:
        rows = await conn.fetch(
            "SELECT data::text FROM realtime_event WHERE type LIKE 'storage.o%' ORDER BY id"
        )
    ours = {"bucket": "docs", "key": "k"}
    assert [json.loads(row["data"]) for row in rows] == [
        ours | {"size": 4, "etag": "e", "content_type": "text/css", "version_id": made.version_id},
        ours | {"size": 0, "version_id": marked.version_id, "delete_marker": True, "permanent": False},
        ours | {"size": 0, "version_id": marked.version_id, "delete_marker": True, "permanent": True},
        ours | {"size": 4, "version_id": made.version_id, "delete_marker": False, "permanent": True},
    ]


async def test_versions_count_against_every_quota(
    index: ObjectIndex, versioned: BucketInfo, db: Database
) -> None:
    await set_quota(db, versioned.tenant_id, 1000)
    await set_bucket(db, versioned, quota_bytes=25, quota_objects=4)
    results = await asyncio.gather(
        *(index.commit_put(put(versioned, f"k{n % 2}", b"x" * 10)) for n in range(5)), return_exceptions=True
    )
    assert sum(isinstance(r, errors.QuotaReached) for r in results) == 3
    for n in range(2):
        await index.commit_put(put(versioned, f"empty{n}", b""))
    with pytest.raises(errors.QuotaReached):
        await index.commit_put(put(versioned, "empty2", b""))
    await index.delete_object(delete(versioned, "empty0"))  # a marker is no object
    await set_bucket(db, versioned, quota_bytes=None, quota_objects=None)
    await set_quota(db, versioned.tenant_id, 30)
    await index.commit_put(put(versioned, "k0", b"x" * 10))
    with pytest.raises(errors.QuotaReached):
        await index.commit_put(put(versioned, "k0", b"x"))
    assert await usage(db, versioned.tenant_id) == (30, 5, 0)


async def test_conditions_of_writes(index: ObjectIndex, versioned: BucketInfo, db: Database) -> None:
    nothing = Expected(absent=True)
    made = await index.commit_put(put(versioned, "k", b"one", expected=nothing))
    with pytest.raises(errors.PreconditionFailed):
        await index.commit_put(put(versioned, "k", expected=nothing))
    with pytest.raises(errors.PreconditionFailed):
        await index.commit_put(put(versioned, "k", expected=Expected(not_etag=made.etag)))
    for fits in (Expected(etag="*"), Expected(etag=made.etag), Expected(not_etag="other")):
        await index.commit_put(put(versioned, "k", b"one", expected=fits))
    await index.delete_object(delete(versioned))
    for wanted in (Expected(etag="*"), Expected(etag=made.etag)):  # a delete marker is nothing
        with pytest.raises(errors.ObjectGone):
            await index.commit_put(put(versioned, "k", expected=wanted))
    await index.commit_put(put(versioned, "k", expected=Expected(not_etag=made.etag)))
    await index.delete_object(delete(versioned))
    await index.commit_put(put(versioned, "k", expected=nothing))


async def test_conditions_of_deletes(index: ObjectIndex, versioned: BucketInfo, db: Database) -> None:
    first = await index.commit_put(put(versioned, "k", b"one"))
    second = await index.commit_put(put(versioned, "k", b"second"))
    misfits = [
        Expected(etag=first.etag),
        Expected(size=3),
        Expected(last_modified=first.last_modified.replace(year=2015)),
    ]
    for misfit in misfits:
        with pytest.raises(errors.PreconditionFailed):
            await index.delete_object(delete(versioned, expected=misfit))
    with pytest.raises(errors.PreconditionFailed):
        await index.delete_object(
            delete(versioned, version_id=first.version_id, expected=Expected(etag=second.etag))
        )
    fits = Expected(etag=first.etag, size=3, last_modified=first.last_modified)
    assert (await index.delete_object(delete(versioned, version_id=first.version_id, expected=fits))).existed
    assert (await index.delete_object(delete(versioned, expected=Expected(etag="*")))).delete_marker
    # Nothing is there, so nothing is done.
    assert not (await index.delete_object(delete(versioned, expected=Expected(etag=first.etag)))).existed
    assert not (await index.delete_object(delete(versioned, "other", expected=Expected(etag="*")))).existed
    assert await chain(db, versioned, "other") == []
    await usage(db, versioned.tenant_id)


@pytest.fixture
def remote(tenant: Tenant, new_bucket: Callable[..., BucketInfo]) -> BucketInfo:
    return new_bucket(tenant, "far", "s3")


async def test_a_backends_version_ids_are_kept(index: ObjectIndex, remote: BucketInfo, db: Database) -> None:
    await set_bucket(db, remote, versioning="Enabled")
    intent = await index.begin_intent(
        put(remote, "k", size=7, inline=None, tags={"a": "b"}, lock={"hold": True})
    )
    await index.commit_intent(intent, etag="e1", version_id="backend-1")
    found = await index.head(remote, "k")
    assert found is not None
    assert (found.version_id, found.tags, found.lock) == ("backend-1", {"a": "b"}, {"hold": True})
    intent = await index.begin_delete_intent(delete(remote))
    await index.commit_intent(intent, version_id="backend-2")
    assert await versions(db, remote) == ["backend-2!", "backend-1"]
    intent = await index.begin_delete_intent(delete(remote, version_id="backend-2"))
    await index.commit_intent(intent)
    assert await versions(db, remote) == ["backend-1"]
    # What is there already is not there twice.
    intent = await index.begin_intent(put(remote, "k", size=8, inline=None))
    await index.commit_intent(intent, etag="e1", version_id="backend-1")
    assert await versions(db, remote) == ["backend-1"]
    assert await usage(db, remote.tenant_id) == (8, 1, 0)
    assert len(await events(db, remote.tenant_id)) == 4


async def test_a_batch_of_everything(index: ObjectIndex, versioned: BucketInfo, db: Database) -> None:
    """Each row of one batch is done by itself."""
    made = [await index.commit_put(put(versioned, f"k{n}", b"x" * n)) for n in range(10)]
    outcomes: list[Any] = await asyncio.gather(
        *(
            index.commit_put(put(versioned, f"k{n}", b"new"))
            if n % 3 == 0
            else index.delete_object(delete(versioned, f"k{n}", made[n].version_id if n % 3 == 1 else None))
            for n in range(10)
        )
    )
    for n, outcome in enumerate(outcomes):
        expected = [made[n].version_id]
        if n % 3 == 0:
            expected.insert(0, outcome.version_id)
        elif n % 3 == 1:
            expected = []
        else:
            expected.insert(0, f"{outcome.version_id}!")
        assert await versions(db, versioned, f"k{n}") == expected
    await usage(db, versioned.tenant_id)


async def test_several_versions_of_a_key_go_in_one_call(
    index: ObjectIndex, versioned: BucketInfo, db: Database
) -> None:
    """As a lifecycle rule removes them; one that is named twice goes once."""
    made = [await index.commit_put(put(versioned, "k", b"x" * n)) for n in range(1, 5)]
    ids = [row.version_id for row in made]
    changes = [delete(versioned, version_id=ids[n]) for n in (3, 1, 1, 2)]
    async with db.tenant(versioned.tenant_id) as conn:
        done = await commits.commit_changes(conn, versioned.tenant_id, changes)
    assert [one.verdict for one in done] == [None, None, "absent", None]
    assert await versions(db, versioned) == [ids[0]]
    assert await usage(db, versioned.tenant_id) == (1, 1, 0)
