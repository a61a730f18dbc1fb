"""Reading object rows: one by key, or a page of a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .commits import from_json
from .texts import after_all
from .types import BucketInfo, ListedObject, ListPage, ObjectRow

if TYPE_CHECKING:
    from gateway.decision.database import Connection

HEAD = """
SELECT size, etag, content_type, last_modified, metadata::text, headers::text, checksums::text, blob, inline
FROM storage_head($1, $2, $3)
"""
LIST = "SELECT is_prefix, key, size, etag, last_modified FROM storage_list($1, $2, $3, $4, $5, $6, $7, $8)"


async def head(conn: Connection, bucket: BucketInfo, key: str) -> ObjectRow | None:
    row = await conn.fetchrow(HEAD, bucket.tenant_id, bucket.id, key)
    if row is None:
        return None
    size, etag, content_type, last_modified, metadata, headers, checksums, blob, inline = row
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
            ListedObject(key, size, etag, at) for is_prefix, key, size, etag, at in rows if not is_prefix
        ],
        common_prefixes=[row["key"] for row in rows if row["is_prefix"]],
        next=rows[-1]["key"] if more else None,
    )
