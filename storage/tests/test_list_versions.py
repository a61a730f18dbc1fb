"""Lists of versions: of each key the newest first, page by page, levels skipped, while others delete."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gateway.decision.database import Database
from storage.index import BucketInfo, DeleteCommit, ObjectIndex

from .conftest import put, set_bucket

KEYS = ("a", "a/x", "a/y/1", "a/y/2", "b", "b//c", "ü/ä", "z")


@pytest.fixture
async def full(index: ObjectIndex, bucket: BucketInfo, db: Database) -> BucketInfo:
    """Keys with a null version, two more, and every other one with a delete marker."""
    for key in KEYS:
        await index.commit_put(put(bucket, key))
    await set_bucket(db, bucket, versioning="Enabled")
    for n, key in enumerate(KEYS):
        await index.commit_put(put(bucket, key, checksums={"crc32": "AAAAAA=="}))
        await index.commit_put(put(bucket, key))
        if n % 2:
            await index.delete_object(DeleteCommit(bucket, key, "tester"))
    return bucket


async def everything(
    index: ObjectIndex, bucket: BucketInfo, most: int = 1000, prefix: str = "", delimiter: str = ""
) -> tuple[list[tuple[str, str]], list[str]]:
    """(key, version id) and common prefixes of all pages."""
    versions: list[tuple[str, str]] = []
    levels: list[str] = []
    after = None
    while True:
        page = await index.list_versions(bucket, prefix, delimiter, after, most)
        assert len(page.versions) + len(page.common_prefixes) <= most
        versions += [(row.key, row.version_id) for row in page.versions]
        levels += page.common_prefixes
        if page.next is None:
            return versions, levels
        assert len(page.versions) + len(page.common_prefixes) == most
        after = page.next


async def test_all_of_a_bucket(index: ObjectIndex, full: BucketInfo) -> None:
    page = await index.list_versions(full)
    assert page.next is None
    assert [row.key for row in page.versions] == sorted(row.key for row in page.versions)
    for n, key in enumerate(KEYS):
        rows = [row for row in page.versions if row.key == key]
        assert [row.is_delete_marker for row in rows] == [True, False, False, False][1 - n % 2 :]
        assert [row.is_latest for row in rows] == [True] + [False] * (len(rows) - 1)
        assert rows[-1].version_id == "null"
        assert rows[-2].checksums == {"crc32": "AAAAAA=="}
        assert [row.size for row in rows if not row.is_delete_marker] == [5, 5, 5]


async def test_every_size_of_page_gives_the_same(index: ObjectIndex, full: BucketInfo) -> None:
    for prefix, delimiter in (
        ("", ""),
        ("", "/"),
        ("a", ""),
        ("a/", "/"),
        ("a/y", "/"),
        ("nothing", ""),
        ("ü", "ä"),
    ):
        whole = await everything(index, full, 1000, prefix, delimiter)
        assert [a < b for a, b in pairwise(whole[1])] == [True] * (len(whole[1]) - 1 if whole[1] else 0)
        for most in (1, 2, 3, 7):
            assert await everything(index, full, most, prefix, delimiter) == whole


async def test_levels(index: ObjectIndex, full: BucketInfo) -> None:
    versions, levels = await everything(index, full, delimiter="/")
    assert sorted({key for key, _ in versions}) == ["a", "b", "z"]
    assert levels == ["a/", "b/", "ü/"]
    versions, levels = await everything(index, full, prefix="a/", delimiter="/")
    assert ({key for key, _ in versions}, levels) == ({"a/x"}, ["a/y/"])


async def test_a_key_marker_alone_skips_all_of_the_key(index: ObjectIndex, full: BucketInfo) -> None:
    page = await index.list_versions(full, after=("b", ""))
    assert page.versions[0].key == "b//c"
    assert (await index.list_versions(full, after=("üz", ""))).versions == []
    assert (await index.list_versions(full, max_keys=0)).next is None


async def test_what_is_listed_is_deleted_until_nothing_is_left(index: ObjectIndex, full: BucketInfo) -> None:
    """As clients empty a bucket: the marker of the next page is gone by then, and an older version is current."""
    after, seen = None, 0
    while True:
        page = await index.list_versions(full, after=after, max_keys=3)
        for row in page.versions:
            seen += 1
            gone = await index.delete_object(DeleteCommit(full, row.key, "tester", row.version_id))
            assert gone.existed
        if page.next is None:
            break
        after = page.next
    assert seen == 3 * len(KEYS) + len(KEYS) // 2
    assert (await index.list_versions(full)).versions == []


async def test_a_bucket_without_versions_lists_its_objects(index: ObjectIndex, bucket: BucketInfo) -> None:
    await index.commit_put(put(bucket, "k"))
    (row,) = (await index.list_versions(bucket)).versions
    assert (row.key, row.version_id, row.is_latest) == ("k", "null", True)
