"""Multipart uploads: their rows until Complete makes an object of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg

from storage import errors

from .commits import (
    Confirmed,
    Done,
    as_json,
    as_json_or_none,
    commit_changes,
    commit_intents,
    from_json,
    from_json_or_none,
    raise_refusal,
)
from .texts import after_all
from .types import BucketInfo, Intent, PartRow, PutCommit, UploadPage, UploadRow

if TYPE_CHECKING:
    from gateway.decision.database import Connection

LEAST_PART = 5 << 20

CREATE = """
INSERT INTO storage_upload (
    id, tenant_id, bucket_id, key, content_type, metadata, headers, initiated_at, writer, remote_id, tags, lock, sse
) VALUES (
    $1, $2, $3, $4, $5, $6::text::jsonb, $7::text::jsonb, $8, $9, $10, $11::text::jsonb, $12::text::jsonb,
    $13::text::jsonb
)
"""
GET = """
SELECT
    id, key, initiated_at, writer, content_type, metadata::text, headers::text, remote_id, tags::text, lock::text,
    sse::text
FROM storage_upload WHERE tenant_id = $1 AND bucket_id = $2 AND id = $3
"""
LIST = """
SELECT
    id, key, initiated_at, writer, content_type, metadata::text, headers::text, remote_id, tags::text, lock::text,
    sse::text
FROM storage_upload
WHERE tenant_id = $1 AND bucket_id = $2 AND (key, id) > ($3, $4) AND key >= $5 AND ($6::text IS NULL OR key < $6)
ORDER BY key, id LIMIT $7
"""
RECORD_PART = "SELECT storage_record_part($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8, $9, $10::text::jsonb)"
PARTS = """
SELECT number, size, etag, last_modified, blob, checksums::text, sse::text FROM storage_uploadpart
WHERE tenant_id = $1 AND upload_id = $2 AND number > $3
ORDER BY number LIMIT $4
"""
END = "SELECT storage_end_upload($1, $2, $3)"
DROP_INTENT = "DELETE FROM storage_writeintent WHERE tenant_id = $1 AND id = $2"
COMPLETES = "UPDATE storage_writeintent SET completes = $3 WHERE tenant_id = $1 AND id = $2"
END_INTENT = """
UPDATE storage_writeintent SET
    ended_at = clock_timestamp(), next_check_at = clock_timestamp(),
    kind = CASE kind WHEN 'lost' THEN 'put' ELSE kind END
WHERE tenant_id = $1 AND id = $2 AND kind <> 'verify' AND (ended_at IS NULL OR kind = 'lost')
"""

_NO_ID = UUID(int=0)


def _uuid(upload_id: str) -> UUID:
    """An upload's id as its row has it; anything else is no upload."""
    try:
        return UUID(upload_id)
    except ValueError:
        raise errors.UploadGone from None


def _upload(bucket_id: int, row: asyncpg.Record) -> UploadRow:
    upload_id, key, initiated, actor, content_type, metadata, headers, remote_id, tags, lock, sse = row
    return UploadRow(
        id=upload_id.hex,
        bucket_id=bucket_id,
        key=key,
        initiated=initiated,
        actor=actor,
        content_type=content_type,
        metadata=from_json(metadata),
        headers=from_json(headers),
        remote_id=remote_id,
        tags=from_json(tags),
        lock=from_json(lock),
        sse=from_json_or_none(sse),
    )


def _part(row: asyncpg.Record) -> PartRow:
    number, size, etag, last_modified, blob, checksums, sse = row
    return PartRow(number, size, etag, last_modified, blob, from_json(checksums), from_json_or_none(sse))


async def create(conn: Connection, put: PutCommit, remote_id: str) -> UploadRow:
    upload = UploadRow(
        id=uuid4().hex,
        bucket_id=put.bucket.id,
        key=put.key,
        initiated=datetime.now(UTC),
        actor=put.actor,
        content_type=put.content_type,
        metadata=put.metadata,
        headers=put.headers,
        remote_id=remote_id,
        tags=put.tags,
        lock=put.lock,
        sse=put.sse,
    )
    try:
        await conn.execute(
            CREATE,
            UUID(upload.id),
            put.bucket.tenant_id,
            put.bucket.id,
            upload.key,
            upload.content_type,
            as_json(upload.metadata),
            as_json(upload.headers),
            upload.initiated,
            upload.actor,
            remote_id,
            as_json(upload.tags),
            as_json(upload.lock),
            as_json_or_none(upload.sse),
        )
    except asyncpg.ForeignKeyViolationError:
        raise errors.BucketGone from None
    return upload


async def get(conn: Connection, bucket: BucketInfo, key: str, upload_id: str) -> UploadRow:
    row = await conn.fetchrow(GET, bucket.tenant_id, bucket.id, _uuid(upload_id))
    if row is None or row["key"] != key:
        raise errors.UploadGone
    return _upload(bucket.id, row)


async def record_part(conn: Connection, bucket: BucketInfo, upload_id: str, part: PartRow) -> None:
    raise_refusal(
        await conn.fetchval(
            RECORD_PART,
            bucket.tenant_id,
            bucket.id,
            _uuid(upload_id),
            part.number,
            part.size,
            part.etag,
            as_json(part.checksums),
            part.last_modified,
            part.blob,
            as_json_or_none(part.sse),
        )
    )


async def list_parts(
    conn: Connection, bucket: BucketInfo, upload_id: str, after: int, max_parts: int
) -> tuple[list[PartRow], int | None]:
    found = _uuid(upload_id)
    if await conn.fetchrow(GET, bucket.tenant_id, bucket.id, found) is None:
        raise errors.UploadGone
    if max_parts <= 0:
        return [], None
    rows = await conn.fetch(PARTS, bucket.tenant_id, found, after, max_parts + 1)
    parts = [_part(row) for row in rows[:max_parts]]
    return parts, parts[-1].number if len(rows) > max_parts else None


async def list_uploads(
    conn: Connection,
    bucket: BucketInfo,
    prefix: str,
    delimiter: str,
    after: tuple[str, str] | None,
    max_uploads: int,
) -> UploadPage:
    key, upload_id = after or ("", "")
    marker = (key, _uuid(upload_id) if upload_id else UUID(int=(1 << 128) - 1) if key else _NO_ID)
    uploads: list[UploadRow] = []
    levels: list[str] = []
    while True:
        room = max_uploads - len(uploads) - len(levels)
        rows = await conn.fetch(
            LIST, bucket.tenant_id, bucket.id, *marker, prefix, after_all(prefix), room + 1
        )
        for row in rows:
            if room == 0:
                return UploadPage(uploads, levels, (marker[0], marker[1].hex))
            room -= 1
            level = _level(row["key"], prefix, delimiter)
            if level is not None:
                levels.append(level)
                marker = (after_all(level) or level + row["key"], _NO_ID)
                break  # the rest of the level is skipped
            uploads.append(_upload(bucket.id, row))
            marker = (row["key"], row["id"])
        else:
            return UploadPage(uploads, levels, None)


def _level(key: str, prefix: str, delimiter: str) -> str | None:
    """The common prefix that `key` falls under, if any."""
    cut = key.find(delimiter, len(prefix)) if delimiter else -1
    return None if cut < 0 else key[: cut + len(delimiter)]


async def choose_parts(
    conn: Connection, bucket: BucketInfo, upload_id: str, wanted: Sequence[tuple[int, str]]
) -> list[PartRow]:
    numbers = [number for number, _ in wanted]
    if not numbers or any(a >= b for a, b in pairwise(numbers)):
        raise errors.InvalidPartOrder
    kept, _ = await list_parts(conn, bucket, upload_id, 0, 10_000)
    by_number = {part.number: part for part in kept}
    chosen = []
    for number, etag in wanted:
        part = by_number.get(number)
        if part is None or part.etag != etag.strip('"'):
            raise errors.InvalidPart(f"part {number}")
        chosen.append(part)
    if any(part.size < LEAST_PART for part in chosen[:-1]):
        raise errors.PartTooSmall
    return chosen


async def complete(conn: Connection, upload: UploadRow, put: PutCommit, intent: Intent | None) -> Done:
    ends = (put.bucket.tenant_id, put.bucket.id, UUID(upload.id))
    async with conn.transaction():
        if intent is not None:
            # Of writes that overlap, this one too may be the one to verify. The sweeper may have been faster.
            confirmed = Confirmed(intent, put.etag, put.size, put.version_id)
            (verdict,) = await commit_intents(conn, put.bucket.tenant_id, [confirmed])
            raise_refusal(verdict)
            await conn.fetchval(END, *ends)
            return Done(None, put.version_id, False, None)
        if not await conn.fetchval(END, *ends):
            raise errors.UploadGone
        (done,) = await commit_changes(conn, put.bucket.tenant_id, [put])
        raise_refusal(done.verdict)
    return done


async def abort(conn: Connection, bucket: BucketInfo, key: str, upload_id: str) -> UploadRow:
    upload = await get(conn, bucket, key, upload_id)
    if not await conn.fetchval(END, bucket.tenant_id, bucket.id, UUID(upload.id)):
        raise errors.UploadGone
    return upload
