"""Tags, retention and legal hold: what changes of a version after it was written, and what they forbid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.decision.database import Database
from storage import errors
from storage.index import BucketInfo, DeleteCommit, ObjectIndex

from .conftest import events, put, set_bucket

LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
PAST = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
async def locking(bucket: BucketInfo, db: Database) -> BucketInfo:
    await set_bucket(db, bucket, versioning="Enabled", object_lock=True)
    return bucket


async def remove(index: ObjectIndex, bucket: BucketInfo, version_id: str, *, bypass: bool = False) -> None:
    await index.delete_object(DeleteCommit(bucket, "k", "tester", version_id, bypass))


async def test_tags_of_any_version(index: ObjectIndex, locking: BucketInfo, db: Database) -> None:
    first = await index.commit_put(put(locking, "k", tags={"old": "1"}))
    second = await index.commit_put(put(locking, "k"))
    tagged = await index.set_tags(locking, "k", first.version_id, {"ü": "x y"}, "tagger")
    assert (tagged.version_id, tagged.tags, tagged.is_latest) == (first.version_id, {"ü": "x y"}, False)
    assert (await index.set_tags(locking, "k", None, {"a": "b"}, "tagger")).version_id == second.version_id
    found = await index.head(locking, "k")
    assert found is not None
    assert found.tags == {"a": "b"}
    assert (await index.set_tags(locking, "k", None, {}, "tagger")).tags == {}
    assert [kind for kind, _ in await events(db, locking.tenant_id)][2:] == ["storage.object.tagged"] * 3


async def test_what_has_nothing_to_tag(index: ObjectIndex, locking: BucketInfo, bucket: BucketInfo) -> None:
    with pytest.raises(errors.VersionGone):
        await index.set_tags(locking, "k", None, {}, "tester")
    marker = await index.delete_object(DeleteCommit(locking, "k", "tester"))
    with pytest.raises(errors.VersionGone):
        await index.set_tags(locking, "k", None, {}, "tester")
    with pytest.raises(errors.IsDeleteMarker):
        await index.set_tags(locking, "k", marker.version_id, {}, "tester")
    with pytest.raises(errors.VersionGone):
        await index.set_legal_hold(locking, "k", "other", hold=True, actor="tester")


async def test_a_hold_keeps_a_version_until_it_is_let_go(
    index: ObjectIndex, locking: BucketInfo, db: Database
) -> None:
    made = await index.commit_put(put(locking, "k", lock={"hold": True}))
    with pytest.raises(errors.ObjectLocked):
        await remove(index, locking, made.version_id, bypass=True)
    assert (await index.delete_object(DeleteCommit(locking, "k", "tester"))).delete_marker  # it stays below
    with pytest.raises(errors.ObjectLocked):
        await remove(index, locking, made.version_id)
    freed = await index.set_legal_hold(locking, "k", made.version_id, hold=False, actor="tester")
    assert freed.lock == {"hold": False}
    await remove(index, locking, made.version_id)
    assert [kind for kind, _ in await events(db, locking.tenant_id)] == [
        "storage.object.created",
        "storage.object.deleted",
        "storage.object.released",
        "storage.object.deleted",
    ]


async def test_compliance_ends_with_its_time_alone(index: ObjectIndex, locking: BucketInfo) -> None:
    made = await index.commit_put(put(locking, "k", lock={"mode": "COMPLIANCE", "until": LATER}))

    async def retain(mode: str | None, until: datetime | None) -> None:
        await index.set_retention(
            locking, "k", made.version_id, mode, until, bypass_governance=True, actor="tester"
        )

    for mode, until in (("COMPLIANCE", PAST), ("GOVERNANCE", LATER), (None, None)):
        with pytest.raises(errors.ObjectLocked):
            await retain(mode, until)
    await retain("COMPLIANCE", LATER + timedelta(days=1))
    with pytest.raises(errors.ObjectLocked):
        await remove(index, locking, made.version_id, bypass=True)
    await index.set_legal_hold(locking, "k", made.version_id, hold=True, actor="tester")
    held = await index.find_version(locking, "k", made.version_id)
    assert held.lock["mode"] == "COMPLIANCE"


async def test_governance_gives_way_to_who_may(index: ObjectIndex, locking: BucketInfo) -> None:
    made = await index.commit_put(put(locking, "k"))

    async def retain(mode: str | None, until: datetime | None, *, bypass: bool = False) -> None:
        await index.set_retention(
            locking, "k", made.version_id, mode, until, bypass_governance=bypass, actor="tester"
        )

    await retain("GOVERNANCE", LATER)
    with pytest.raises(errors.ObjectLocked):
        await remove(index, locking, made.version_id)
    for mode, until in (("GOVERNANCE", PAST), ("COMPLIANCE", LATER), (None, None)):
        with pytest.raises(errors.ObjectLocked):
            await retain(mode, until)
    await retain("GOVERNANCE", LATER + timedelta(days=1))
    await retain("GOVERNANCE", LATER, bypass=True)
    await retain(None, None, bypass=True)
    await retain("COMPLIANCE", PAST)  # is over
    await retain("GOVERNANCE", LATER)
    await remove(index, locking, made.version_id, bypass=True)
    assert await index.latest(locking, "k") is None


async def test_the_buckets_default_retains_new_versions(
    index: ObjectIndex, locking: BucketInfo, db: Database
) -> None:
    await set_bucket(db, locking, default_retention='{"mode": "GOVERNANCE", "days": 2}')
    made = await index.commit_put(put(locking, "k", lock={"hold": True}))
    until = made.last_modified + timedelta(days=2)
    assert made.lock == {"hold": True, "mode": "GOVERNANCE", "until": until.strftime("%Y-%m-%dT%H:%M:%SZ")}
    assert await index.head(locking, "k") == made
    own = await index.commit_put(
        put(locking, "k", lock={"mode": "COMPLIANCE", "until": "2020-01-01T00:00:00Z"})
    )
    assert own.lock["mode"] == "COMPLIANCE"
    await remove(index, locking, own.version_id)
    with pytest.raises(errors.ObjectLocked):
        await remove(index, locking, made.version_id, bypass=True)
    await set_bucket(db, locking, default_retention='{"mode": "COMPLIANCE", "years": 1}')
    longer = await index.commit_put(put(locking, "k"))
    assert longer.lock["until"].startswith(str(longer.last_modified.year + 1))
