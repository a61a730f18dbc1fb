"""Multipart uploads: parts counted and replaced, completed once, aborted without a trace."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from gateway.decision.database import Database
from storage import errors
from storage.index import BucketInfo, ObjectIndex, PartRow
from storage.index.multipart import LEAST_PART

from .conftest import events, put, set_quota, usage

MIB = 1 << 20


def part(number: int, size: int = LEAST_PART, etag: str = "") -> PartRow:
    return PartRow(number, size, etag or f"etag{number}", datetime.now(UTC), uuid4().hex)


async def garbage(db: Database) -> set[str]:
    async with db.wide() as conn:
        return {row[0] for row in await conn.fetch("SELECT blob FROM storage_blobgarbage")}


async def test_an_upload_becomes_an_object(index: ObjectIndex, bucket: BucketInfo, db: Database) -> None:
    upload = await index.create_upload(
        put(bucket, "big", content_type="video/mp4", metadata={"a": "b"}, headers={"cache-control": "x"})
    )
    assert await index.get_upload(bucket, "big", upload.id) == upload
    parts = [part(1), part(2), part(3, 5)]
    replaced = part(2, LEAST_PART + 1)
    for each in (parts[2], replaced, parts[0], parts[1]):
        await index.record_part(bucket, upload.id, each)
    assert await usage(db, bucket.tenant_id) == (0, 0, 2 * LEAST_PART + 5)
    assert await garbage(db) == {replaced.blob}
    listed, following = await index.list_parts(bucket, upload.id, max_parts=2)
    assert ([p.number for p in listed], following) == ([1, 2], 2)
    listed, following = await index.list_parts(bucket, upload.id, after=2)
    assert ([p.number for p in listed], following) == ([3], None)

    chosen = await index.choose_parts(bucket, upload.id, [(1, '"etag1"'), (2, "etag2"), (3, "etag3")])
    assert [p.blob for p in chosen] == [p.blob for p in parts]
    whole = put(bucket, "big", size=2 * LEAST_PART + 5, blob=uuid4().hex, inline=None, etag="x-3")
    await index.complete_upload(upload, whole)
    found = await index.head(bucket, "big")
    assert found is not None
    assert found.blob == whole.blob
    assert await usage(db, bucket.tenant_id) == (2 * LEAST_PART + 5, 1, 0)
    assert await garbage(db) == {replaced.blob, *(p.blob for p in parts)}
    assert await events(db, bucket.tenant_id) == [("storage.object.created", "docs/big")]
    with pytest.raises(errors.UploadGone):
        await index.complete_upload(upload, whole)
    with pytest.raises(errors.UploadGone):
        await index.record_part(bucket, upload.id, part(4))


async def test_what_complete_names_is_checked(index: ObjectIndex, bucket: BucketInfo) -> None:
    upload = await index.create_upload(put(bucket, "big"))
    for each in (part(1, 10), part(2, 10)):
        await index.record_part(bucket, upload.id, each)
    refusals: list[tuple[list[tuple[int, str]], type[errors.StorageRefusal]]] = [
        ([], errors.InvalidPartOrder),
        ([(2, "etag2"), (1, "etag1")], errors.InvalidPartOrder),
        ([(1, "etag1"), (1, "etag1")], errors.InvalidPartOrder),
        ([(1, "other")], errors.InvalidPart),
        ([(3, "etag3")], errors.InvalidPart),
        ([(1, "etag1"), (2, "etag2")], errors.PartTooSmall),
    ]
    for wanted, refusal in refusals:
        with pytest.raises(refusal):
            await index.choose_parts(bucket, upload.id, wanted)
    assert [p.number for p in await index.choose_parts(bucket, upload.id, [(2, "etag2")])] == [2]


@pytest.mark.parametrize("upload_id", ["", "nonsense", "0" * 32, "\x00", "0f" * 16])
async def test_an_unknown_upload_is_gone(index: ObjectIndex, bucket: BucketInfo, upload_id: str) -> None:
    with pytest.raises(errors.UploadGone):
        await index.get_upload(bucket, "big", upload_id)
    with pytest.raises(errors.UploadGone):
        await index.record_part(bucket, upload_id, part(1))
    with pytest.raises(errors.UploadGone):
        await index.list_parts(bucket, upload_id)
    with pytest.raises(errors.UploadGone):
        await index.abort_upload(bucket, "big", upload_id)


async def test_abort_leaves_nothing(index: ObjectIndex, bucket: BucketInfo, db: Database) -> None:
    upload = await index.create_upload(put(bucket, "big"))
    parts = [part(n) for n in (1, 2)]
    for each in parts:
        await index.record_part(bucket, upload.id, each)
    with pytest.raises(errors.UploadGone):
        await index.abort_upload(bucket, "another key", upload.id)
    await index.abort_upload(bucket, "big", upload.id)
    assert await usage(db, bucket.tenant_id) == (0, 0, 0)
    assert await garbage(db) == {p.blob for p in parts}
    assert await events(db, bucket.tenant_id) == []


async def test_parts_count_against_the_quota_and_free_it(
    index: ObjectIndex, bucket: BucketInfo, db: Database
) -> None:
    await set_quota(db, bucket.tenant_id, 2 * LEAST_PART + 100)
    upload = await index.create_upload(put(bucket, "big"))
    await index.record_part(bucket, upload.id, part(1))
    await index.record_part(bucket, upload.id, part(2))
    with pytest.raises(errors.QuotaReached):
        await index.record_part(bucket, upload.id, part(3))
    await index.record_part(bucket, upload.id, part(2, LEAST_PART + 100))
    whole = put(bucket, "big", size=2 * LEAST_PART + 100, blob=uuid4().hex, inline=None)
    await index.complete_upload(upload, whole)  # the parts' bytes become the object's
    assert await usage(db, bucket.tenant_id) == (2 * LEAST_PART + 100, 1, 0)


async def test_two_completes_make_one_object(index: ObjectIndex, bucket: BucketInfo, db: Database) -> None:
    upload = await index.create_upload(put(bucket, "big"))
    await index.record_part(bucket, upload.id, part(1, 7))
    wholes = [put(bucket, "big", size=7, blob=uuid4().hex, inline=None) for _ in range(4)]
    results = await asyncio.gather(
        *(index.complete_upload(upload, whole) for whole in wholes), return_exceptions=True
    )
    assert sum(isinstance(r, errors.UploadGone) for r in results) == 3
    assert len(await events(db, bucket.tenant_id)) == 1
    assert await usage(db, bucket.tenant_id) == (7, 1, 0)


@pytest.mark.parametrize("page_size", [1, 2, 3, 100])
async def test_uploads_are_listed_by_key_and_level(
    index: ObjectIndex, bucket: BucketInfo, page_size: int
) -> None:
    for key in ("b", "a/1", "a/2", "a", "a", "c/x", "c/y", "d"):
        await index.create_upload(put(bucket, key))
    for prefix, delimiter, uploads, levels in (
        ("", "", ["a", "a", "a/1", "a/2", "b", "c/x", "c/y", "d"], []),
        ("", "/", ["a", "a", "b", "d"], ["a/", "c/"]),
        ("a", "/", ["a", "a"], ["a/"]),
        ("a/", "/", ["a/1", "a/2"], []),
        ("none", "/", [], []),
    ):
        found_uploads: list[str] = []
        found_levels: list[str] = []
        after = None
        for _ in range(20):
            page = await index.list_uploads(bucket, prefix, delimiter, after, page_size)
            found_uploads += [u.key for u in page.uploads]
            found_levels += page.common_prefixes
            after = page.next
            if after is None:
                break
            assert len(page.uploads) + len(page.common_prefixes) == page_size
        assert (found_uploads, found_levels) == (uploads, levels), (prefix, delimiter)
