"""Listing: byte order, levels, pages, against a naive model; and never through what lies below a level."""

from __future__ import annotations

import random
from itertools import product

import pytest

from gateway.decision.database import Database
from storage.index import BucketInfo, ObjectIndex
from storage.index.texts import after_all


def model(keys: list[str], prefix: str, delimiter: str, start_after: str) -> list[tuple[bool, str]]:
    """What S3 says a list holds, the slow way: (is a common prefix, text)."""
    entries: list[tuple[bool, str]] = []
    for key in sorted(keys, key=str.encode):
        if not key.startswith(prefix):
            continue
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = (False, key) if cut < 0 else (True, key[: cut + len(delimiter)])
        if entry[0]:
            if entry in entries or entry[1] == start_after:
                continue
        if key.encode() > start_after.encode():
            entries.append(entry)
    return entries


async def fill(db: Database, bucket: BucketInfo, keys: list[str]) -> None:
    async with db.tenant(bucket.tenant_id) as conn:
        await conn.execute(
            "INSERT INTO storage_object (tenant_id, bucket_id, key, size, etag, content_type, metadata, headers,"
            " checksums, last_modified, writer, inline) SELECT $1, $2, k, 1, 'e', 't', '{}', '{}', '{}', now(), 'w',"
            " 'x' FROM unnest($3::text[]) k",
            bucket.tenant_id,
            bucket.id,
            keys,
        )


async def listed(
    index: ObjectIndex, bucket: BucketInfo, prefix: str, delimiter: str, start_after: str, max_keys: int
) -> list[tuple[bool, str]]:
    """All pages together; each page's order is checked by merging its two lists."""
    found: list[tuple[bool, str]] = []
    for _ in range(1000):
        page = await index.list_objects(bucket, prefix, delimiter, start_after, max_keys)
        entries = [(False, c.key) for c in page.contents] + [(True, p) for p in page.common_prefixes]
        assert [c.key for c in page.contents] == sorted((c.key for c in page.contents), key=str.encode)
        assert len(entries) <= max_keys
        found += sorted(entries, key=lambda e: e[1].encode())
        if page.next is None:
            return found
        assert len(entries) == max_keys
        start_after = page.next
    raise AssertionError("the pages do not end")


KEYS = [
    "a", "a/", "a//x", "a/b", "a/b/c", "a/b/d", "a0", "a\x01", "a b/ü+%.txt", "b", "B", "b/", "é/1", "é/2", "z/\uffff",
    "z/\U0001f600/x", "z\ud7ff", "z\ue000", "~", "//", "/", "日本/語", "x|y|z", "x||", "\U0010ffff", "\U0010ffff/a",
]  # fmt: skip


@pytest.mark.parametrize("max_keys", [1, 2, 3, 1000])
async def test_lists_as_the_model_says(
    index: ObjectIndex, bucket: BucketInfo, db: Database, max_keys: int
) -> None:
    await fill(db, bucket, KEYS)
    prefixes = ["", "a", "a/", "a/b", "z", "é", "none", "\U0010ffff", "日"]
    for prefix, delimiter, after in product(
        prefixes, ["", "/", "|", "b/", "\U0010ffff"], ["", "a/", "a/b", "b", "é/1", "~"]
    ):
        expected = model(KEYS, prefix, delimiter, after)
        got = await listed(index, bucket, prefix, delimiter, after, max_keys)
        assert got == expected, (prefix, delimiter, after)


async def test_random_trees(index: ObjectIndex, bucket: BucketInfo, db: Database) -> None:
    chance = random.Random(7)
    keys = sorted({"".join(chance.choice("ab/é") for _ in range(chance.randint(1, 7))) for _ in range(600)})
    await fill(db, bucket, keys)
    for _ in range(60):
        prefix = "".join(chance.choice("ab/é") for _ in range(chance.randint(0, 3)))
        delimiter = chance.choice(["", "/", "/", "é", "ab"])
        after = chance.choice(["", "", chance.choice(keys)])
        got = await listed(index, bucket, prefix, delimiter, after, chance.choice([1, 7, 50, 1000]))
        assert got == model(keys, prefix, delimiter, after), (prefix, delimiter, after)


async def test_a_level_is_left_without_reading_it(
    index: ObjectIndex, bucket: BucketInfo, db: Database
) -> None:
    async with db.tenant(bucket.tenant_id) as conn:
        await conn.execute(
            "INSERT INTO storage_object (tenant_id, bucket_id, key, size, etag, content_type, metadata, headers,"
            " checksums, last_modified, writer, inline) SELECT $1, $2, format('%s/%s', p, n), 1, 'e', 't', '{}', '{}',"
            " '{}', now(), 'w', 'x' FROM generate_series(1, 5) p, generate_series(1, 10000) n",
            bucket.tenant_id,
            bucket.id,
        )
        page = await index.list_objects(bucket, delimiter="/")
        assert page.common_prefixes == ["1/", "2/", "3/", "4/", "5/"]
    async with db.wide() as conn:
        await conn.execute("SELECT pg_stat_force_next_flush()")
    async with db.tenant(bucket.tenant_id) as conn:
        await conn.execute("SELECT pg_stat_force_next_flush()")
        before = await conn.fetchval(SCANNED)
        await index.list_objects(bucket, delimiter="/")
    async with db.tenant(bucket.tenant_id) as conn:
        await conn.execute("SELECT pg_stat_force_next_flush()")
        after = await conn.fetchval(SCANNED)
    assert after - before < 500


SCANNED = "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_user_tables WHERE relname = 'storage_object'"


async def test_no_keys_asked_for(index: ObjectIndex, bucket: BucketInfo, db: Database) -> None:
    await fill(db, bucket, ["a"])
    page = await index.list_objects(bucket, max_keys=0)
    assert (page.contents, page.common_prefixes, page.next) == ([], [], None)


def test_after_all() -> None:
    assert after_all("a/") == "a0"
    assert after_all("\ud7ff") == "\ue000"
    assert after_all("a\U0010ffff\U0010ffff") == "b"
    assert after_all("\U0010ffff") is None
    assert after_all("") is None
