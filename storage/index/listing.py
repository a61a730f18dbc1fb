"""Reading object rows: one by key, or a page of a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .commits import from_json, from_json_or_none
from .texts import after_all
from .types import BucketInfo, ListedObject, ListPage, ObjectRow, VersionPage

if TYPE_CHECKING:
    import asyncpg

    from gateway.decision.database import Connection

HEAD = """
SELECT
    version_id, size, etag, content_type, last_modified, metadata::text, headers::text, checksums::text, tags::text,
    lock::text, sse::text, parts::text, writer, blob, inline
FROM storage_head($1, $2, $3)
"""
VERSION = """
SELECT
    version_id, size, etag, content_type, last_modified, metadata::text, headers::text, checksums::text, tags::text,
    lock::text, sse::text, parts::text, writer, blob, inline, is_delete_marker, is_latest
FROM storage_find_version($1, $2, $3, $4)
"""
LIST = """
SELECT is_prefix, key, size, etag, last_modified, checksums::text
FROM storage_list($1, $2, $3, $4, $5, $6, $7, $8)
"""
LIST_VERSIONS = """
SELECT is_prefix, key, version_id, size, etag, last_modified, checksums::text, is_delete_marker, is_latest
FROM storage_list_versions($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
SEQUENCE = """
SELECT version_seq FROM storage_object
WHERE tenant_id = $1 AND bucket_id = $2 AND key = $3 AND version_id = $4
UNION ALL
SELECT version_seq FROM storage_objectversion
WHERE tenant_id = $1 AND bucket_id = $2 AND key = $3 AND version_id = $4
"""

# More than any: a version that is gone is told from none by it, and all of its key follow.
_NEWEST = (1 << 63) - 1


async def head(conn: Connection, bucket: BucketInfo, key: str) -> ObjectRow | None:
    row = await conn.fetchrow(HEAD, bucket.tenant_id, bucket.id, key)
    return None if row is None else _object(bucket, key, row)


async def find_version(
    conn: Connection, bucket: BucketInfo, key: str, version_id: str | None
) -> ObjectRow | None:
    """`version_id` None: the newest."""
    row = await conn.fetchrow(VERSION, bucket.tenant_id, bucket.id, key, version_id)
    return None if row is None else _object(bucket, key, row, *row[15:])


def _object(
    bucket: BucketInfo, key: str, row: asyncpg.Record, is_delete_marker: bool = False, is_latest: bool = True
) -> ObjectRow:
    version_id, size, etag, content_type, last_modified, metadata, headers, checksums, tags, lock = row[:10]
    sse, parts, writer, blob, inline = row[10:15]
    return ObjectRow(
        bucket_id=bucket.id,
        key=key,
        size=size,
        etag=etag,
        content_type=content_type,
        last_modified=last_modified,
        metadata=from_json(metadata),
        headers=from_json(headers),
        checksums=from_json(checksums),
        blob=blob,
        inline=inline,
        version_id=version_id,
        tags=from_json(tags),
        lock=from_json(lock),
        sse=from_json_or_none(sse),
        parts=from_json_or_none(parts),
        writer=writer,
        is_delete_marker=is_delete_marker,
        is_latest=is_latest,
    )


async def list_objects(
    conn: Connection,
    bucket: BucketInfo,
    prefix: str,
    delimiter: str,
    start_after: str,
    max_keys: int,
) -> ListPage:
    if max_keys <= 0:
        return ListPage([], [], None)
    rows = await conn.fetch(
        LIST,
        bucket.tenant_id,
        bucket.id,
        prefix,
        after_all(prefix),
        delimiter,
        after_all(delimiter),
        start_after,
        max_keys + 1,
    )
    more = len(rows) > max_keys
    rows = rows[:max_keys]
    return ListPage(
        contents=[
            ListedObject(key, size, etag, at, from_json(checksums))
            for is_prefix, key, size, etag, at, checksums in rows
            if not is_prefix
        ],
        common_prefixes=[row["key"] for row in rows if row["is_prefix"]],
        next=rows[-1]["key"] if more else None,
    )


async def list_versions(
    conn: Connection,
    bucket: BucketInfo,
    prefix: str,
    delimiter: str,
    after: tuple[str, str] | None,
    max_keys: int,
) -> VersionPage:
    if max_keys <= 0:
        return VersionPage([], [], None)
    key, version_id = after or ("", "")
    sequence = None
    if version_id:
        sequence = await conn.fetchval(SEQUENCE, bucket.tenant_id, bucket.id, key, version_id)
        if sequence is None:
            sequence = _NEWEST
    rows = await conn.fetch(
        LIST_VERSIONS,
        bucket.tenant_id,
        bucket.id,
        prefix,
        after_all(prefix),
        delimiter,
        after_all(delimiter),
        key,
        sequence,
        max_keys + 1,
    )
    more = len(rows) > max_keys
    rows = rows[:max_keys]
    return VersionPage(
        versions=[_version(bucket, row) for row in rows if not row["is_prefix"]],
        common_prefixes=[row["key"] for row in rows if row["is_prefix"]],
        next=(rows[-1]["key"], rows[-1]["version_id"] or "") if more else None,
    )


def _version(bucket: BucketInfo, row: asyncpg.Record) -> ObjectRow:
    _, key, version_id, size, etag, last_modified, checksums, is_delete_marker, is_latest = row
    return ObjectRow(
        bucket_id=bucket.id,
        key=key,
        size=size,
        etag=etag,
        content_type="",
        last_modified=last_modified,
        checksums=from_json(checksums),
        version_id=version_id,
        is_delete_marker=is_delete_marker,
        is_latest=is_latest,
    )
