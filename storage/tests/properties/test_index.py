"""Random operations against ObjectIndex and against a plain model side by side: both answer the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any, ClassVar, TypeVar
from uuid import uuid4

import pytest
from django.conf import settings as platform
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from gateway.db.scope import platform_scope
from gateway.decision.database import Database, DatabaseAddress
from storage import errors, models
from storage.index import (
    BucketInfo,
    DeleteCommit,
    Expected,
    ObjectIndex,
    PartRow,
    PutCommit,
    UploadRow,
)
from storage.tests.conftest import set_bucket, usage
from tenants.models import Tenant

from .model import Entry, Model, Refused, Version

R = TypeVar("R")

KEYS = st.sampled_from(
    ["a", "a/", "a/b", "a/b/c", "a//b", "a/b\U0010ffff", "ab", "b", "\ud7ff/x", "\ue000/y", "ä/ö", "z"]
)
PREFIXES = st.sampled_from(["", "", "a", "a/", "a/b", "\ud7ff", "ä", "none"])
DELIMITERS = st.sampled_from(["", "/", "/", "b", "//"])
PAGES = st.integers(1, 4)
TAGS = st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12"), max_size=2)
# Which of a key's versions is meant: one of those there are, else one that is not.
NTH = st.integers(0, 3)
CONDITIONS = st.sampled_from(["none", "none", "none", "absent", "any", "etag", "wrong", "not_etag", "size"])

_names = count()


def refusal(expect: Callable[[Any], object], answer: Any) -> str:
    """Why the model refuses; empty when it does not."""
    try:
        expect(answer)
    except Refused as e:
        return str(e)
    return ""


@dataclass
class World:
    runner: asyncio.Runner
    db: Database
    index: ObjectIndex
    tenant: Tenant


class IndexMachine(RuleBasedStateMachine):
    """Each example has a bucket of its own."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.index, self.model = self.world.index, Model()
        self.uploads: list[tuple[UploadRow, list[PartRow]]] = []
        with platform_scope("tests"):
            row = models.Bucket.objects.create(tenant=self.world.tenant, name=f"b{next(_names)}")
        self.bucket = BucketInfo(row.pk, row.tenant_id, row.name, 0, "local", "", row.created_at)

    def run(self, awaited: Awaitable[R]) -> R:
        async def finish() -> R:
            return await awaited

        return self.world.runner.run(finish())

    def both(self, awaited: Awaitable[R], expect: Callable[[Any], object]) -> R | None:
        """The index's answer; None where it refused what the model refuses for the same reason.

        `expect` does the same to the model; it is given the answer, since ids are made by the index.
        """
        answer, refused = None, ""
        try:
            answer = self.run(awaited)
        except errors.StorageRefusal as e:
            refused = type(e).__name__
        assert refused == refusal(expect, answer)
        return answer

    def expected(self, condition: str, there: Version | None) -> Expected | None:
        etag = there.etag if there and there.etag else "missing"
        return {
            "none": None,
            "absent": Expected(absent=True),
            "any": Expected(etag="*"),
            "etag": Expected(etag=etag),
            "wrong": Expected(etag="wrong"),
            "not_etag": Expected(not_etag=etag),
            "size": Expected(size=there.size if there else 1),
        }[condition]

    def nth(self, key: str, n: int) -> str:
        chain = self.model.versions.get(key, [])
        return chain[n].id if n < len(chain) else "other"

    def new(self, key: str, size: int, **fields: Any) -> PutCommit:
        return PutCommit(
            bucket=self.bucket,
            key=key,
            size=size,
            etag=uuid4().hex,
            last_modified=datetime.now(UTC).replace(microsecond=0),
            actor="tester",
            **({"blob": uuid4().hex} if size % 2 else {"inline": b"x" * size}),
            **fields,
        )

    def as_version(self, put: PutCommit, version_id: str) -> Version:
        return Version(version_id, put.size, put.etag, put.blob, dict(put.tags))

    # Writes.

    @rule(key=KEYS, size=st.integers(0, 9), tags=TAGS, condition=CONDITIONS)
    def put(self, key: str, size: int, tags: dict[str, str], condition: str) -> None:
        expected = self.expected(condition, self.model.current(key))
        if expected is not None and expected.size is not None:
            expected = None  # only deletes have it
        put = self.new(key, size, tags=tags, expected=expected)
        row = self.both(
            self.index.commit_put(put),
            lambda row: self.model.put(key, self.as_version(put, row.version_id if row else ""), expected),
        )
        if row is not None:
            assert (row.version_id == "null") == (self.model.versioning != "Enabled")

    @rule(key=KEYS, condition=CONDITIONS)
    def delete(self, key: str, condition: str) -> None:
        expected = self.expected(condition, self.model.current(key))

        def expect(outcome: Any) -> None:
            done = self.model.delete(key, (outcome and outcome.version_id) or "", expected)
            assert outcome.existed == done
            assert outcome.delete_marker == (done and bool(self.model.versioning))

        self.both(
            self.index.delete_object(DeleteCommit(self.bucket, key, "tester", expected=expected)), expect
        )

    @rule(key=KEYS, n=NTH, condition=CONDITIONS, bypass=st.booleans())
    def delete_version(self, key: str, n: int, condition: str, bypass: bool) -> None:
        version_id = self.nth(key, n)
        there = next((v for v in self.model.versions.get(key, []) if v.id == version_id), None)
        expected = self.expected(condition, there)

        def expect(outcome: Any) -> None:
            assert self.model.delete_version(key, version_id, expected) == outcome.existed
            assert outcome.delete_marker == (
                outcome.existed and bool(self.model.versioning) and there is not None and there.is_marker
            )

        self.both(
            self.index.delete_object(DeleteCommit(self.bucket, key, "tester", version_id, bypass, expected)),
            expect,
        )

    @rule(keys=st.lists(KEYS, unique=True, min_size=2, max_size=6))
    def many_at_once(self, keys: list[str]) -> None:
        """Puts and deletes that share a batch."""
        puts = {key: self.new(key, n) for n, key in enumerate(keys) if n % 2}

        async def submit() -> list[Any]:
            return await asyncio.gather(
                *(
                    self.index.commit_put(puts[key])
                    if key in puts
                    else self.index.delete_object(DeleteCommit(self.bucket, key, "tester"))
                    for key in keys
                ),
                return_exceptions=True,
            )

        for key, outcome in zip(keys, self.run(submit()), strict=True):
            refused = type(outcome).__name__ if isinstance(outcome, Exception) else ""

            def expect(outcome: Any, key: str = key) -> None:
                made = getattr(outcome, "version_id", None) or ""
                if key in puts:
                    self.model.put(key, self.as_version(puts[key], made), None)
                else:
                    assert self.model.delete(key, made, None) == outcome.existed

            assert refused == refusal(expect, outcome)

    @rule(enabled=st.booleans())
    def set_versioning(self, enabled: bool) -> None:
        if enabled or self.model.versioning:
            self.model.versioning = "Enabled" if enabled else "Suspended"
            self.run(set_bucket(self.world.db, self.bucket, versioning=self.model.versioning))

    @rule(key=KEYS, n=NTH, current=st.booleans(), tags=TAGS)
    def set_tags(self, key: str, n: int, current: bool, tags: dict[str, str]) -> None:
        version_id = None if current else self.nth(key, n)
        row = self.both(
            self.index.set_tags(self.bucket, key, version_id, tags, "tester"),
            lambda row: self.model.amend(key, version_id, tags=tags),
        )
        assert row is None or row.tags == tags

    @rule(key=KEYS, n=NTH, hold=st.sampled_from([True, False, False]))
    def set_hold(self, key: str, n: int, hold: bool) -> None:
        version_id = self.nth(key, n)
        self.both(
            self.index.set_legal_hold(self.bucket, key, version_id, hold=hold, actor="tester"),
            lambda row: self.model.amend(key, version_id, held=hold),
        )

    # Multipart.

    @rule(key=KEYS, tags=TAGS)
    def create_upload(self, key: str, tags: dict[str, str]) -> None:
        self.uploads.append((self.run(self.index.create_upload(self.new(key, 0, tags=tags))), []))

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), number=st.integers(1, 3))
    def upload_part(self, data: st.DataObject, number: int) -> None:
        upload, parts = data.draw(st.sampled_from(self.uploads))
        now = datetime.now(UTC).replace(microsecond=0)
        part = PartRow(number, (5 << 20) + number, uuid4().hex, now, uuid4().hex)
        self.run(self.index.record_part(self.bucket, upload.id, part))
        self.model.garbage += [old.blob for old in parts if old.number == number and old.blob]
        parts[:] = sorted([old for old in parts if old.number != number] + [part], key=lambda one: one.number)

    @precondition(lambda self: self.uploads)
    @rule(data=st.data(), condition=CONDITIONS)
    def complete(self, data: st.DataObject, condition: str) -> None:
        upload, parts = data.draw(st.sampled_from(self.uploads))
        assert self.run(self.index.list_parts(self.bucket, upload.id)) == (parts, None)
        if not parts:
            return
        chosen = self.run(
            self.index.choose_parts(self.bucket, upload.id, [(part.number, part.etag) for part in parts])
        )
        expected = self.expected(condition, self.model.current(upload.key))
        put = self.new(
            upload.key,
            sum(part.size for part in chosen),
            tags=upload.tags,
            parts=[{"size": part.size} for part in chosen],
            expected=None if expected and expected.size is not None else expected,
        )
        row = self.both(
            self.index.complete_upload(upload, put),
            lambda row: self.model.put(
                upload.key, self.as_version(put, row.version_id if row else ""), put.expected
            ),
        )
        if row is not None:
            found = self.run(self.index.find_version(self.bucket, upload.key, row.version_id))
            assert (found.parts, found.tags) == (put.parts, upload.tags)
            self.end(upload, parts)
            with pytest.raises(errors.UploadGone):
                self.run(self.index.complete_upload(upload, put))

    @precondition(lambda self: self.uploads)
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        upload, parts = data.draw(st.sampled_from(self.uploads))
        self.run(self.index.abort_upload(self.bucket, upload.key, upload.id))
        self.end(upload, parts)

    def end(self, upload: UploadRow, parts: list[PartRow]) -> None:
        self.uploads.remove((upload, parts))
        self.model.garbage += [part.blob for part in parts if part.blob]

    # Reads.

    @rule(key=KEYS)
    def look(self, key: str) -> None:
        chain = self.model.versions.get(key, [])
        self.same(self.run(self.index.head(self.bucket, key)), self.model.current(key))
        self.same(self.run(self.index.latest(self.bucket, key)), chain[0] if chain else None)
        for n, version in enumerate(chain):
            found = self.run(self.index.find_version(self.bucket, key, version.id))
            self.same(found, version)
            assert found.is_latest == (n == 0)

    @rule(prefix=PREFIXES, delimiter=DELIMITERS, after=st.one_of(st.just(""), KEYS), most=PAGES)
    def list_objects(self, prefix: str, delimiter: str, after: str, most: int) -> None:
        page = self.run(self.index.list_objects(self.bucket, prefix, delimiter, after, most))
        found = sorted([*page.common_prefixes, *(one.key for one in page.contents)])
        entries, following = self.model.list_objects(prefix, delimiter, after, most)
        assert (found, page.next) == ([key for key, _ in entries], following)

    @rule(
        prefix=PREFIXES,
        delimiter=DELIMITERS,
        key=st.one_of(st.just(""), KEYS),
        n=st.integers(0, 4),
        most=PAGES,
    )
    def list_versions(self, prefix: str, delimiter: str, key: str, n: int, most: int) -> None:
        after = (key, "" if n == 4 else self.nth(key, n)) if key else None
        page = self.run(self.index.list_versions(self.bucket, prefix, delimiter, after, most))
        entries, following = self.model.list_versions(prefix, delimiter, after, most)
        listed: list[Entry] = [(row.key, row.version_id) for row in page.versions]
        assert listed == [entry for entry in entries if entry[1]]
        assert page.common_prefixes == [key for key, version_id in entries if not version_id]
        assert page.next == following

    def same(self, row: Any, version: Version | None) -> None:
        if row is None or version is None:
            assert row is version is None
            return
        assert (row.version_id, row.size, row.etag, row.blob, row.tags, row.is_delete_marker) == (
            version.id,
            version.size,
            version.etag,
            version.blob,
            version.tags,
            version.is_marker,
        )
        assert bool(row.lock.get("hold")) == version.held

    def teardown(self) -> None:
        for key in self.model.versions:
            self.look(key)
        page = self.run(self.index.list_versions(self.bucket))
        assert [(row.key, row.version_id) for row in page.versions] == self.model.list_versions(
            "", "", None, 1000
        )[0]
        self.run(usage(self.world.db, self.bucket.tenant_id))
        self.run(self.check_rows())

    async def check_rows(self) -> None:
        """What has been counted, told and thrown away."""
        async with self.world.db.wide() as conn:
            kept = await conn.fetchrow(
                "SELECT bytes, objects_count, upload_bytes FROM storage_bucketusage WHERE bucket_id = $1",
                self.bucket.id,
            )
            told = await conn.fetchval(
                "SELECT count(*) FROM realtime_event WHERE subject LIKE $1 AND type LIKE 'storage.object.%'",
                f"{self.bucket.name}/%",
            )
            thrown = await conn.fetch(
                "SELECT blob FROM storage_blobgarbage WHERE blob = ANY($1)", self.model.garbage
            )
        waiting = sum(part.size for _, parts in self.uploads for part in parts)
        assert (tuple(kept) if kept else (0, 0, 0)) == (*self.model.usage(), waiting)
        assert told == self.model.changes
        assert sorted(row["blob"] for row in thrown) == sorted(self.model.garbage)


@pytest.fixture
def world(tenant: Tenant) -> Iterator[World]:
    with asyncio.Runner() as runner:

        async def begin() -> World:
            db = Database(DatabaseAddress.from_django(platform))
            return World(runner, db, ObjectIndex(db, keep=1 << 20), tenant)

        async def end(world: World) -> None:
            await world.index.close()
            await world.db.close()

        made = runner.run(begin())
        yield made
        runner.run(end(made))


def compare(world: World, examples: int, steps: int) -> None:
    class Machine(IndexMachine):
        pass

    Machine.world = world
    run_state_machine_as_test(
        Machine,
        settings=settings(
            derandomize=True,
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_index_does_as_the_model(world: World) -> None:
    compare(world, 10, 25)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_index_does_as_the_model_for_long(world: World) -> None:
    compare(world, 60, 40)
