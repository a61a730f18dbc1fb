"""The statements behind commits of objects and intents: one call each, whatever the batch holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import orjson

from storage import errors

from .types import DeleteCommit, Intent, ObjectRow, PutCommit

if TYPE_CHECKING:
    from gateway.decision.database import Connection

COMMIT = """
SELECT storage_commit(
    $1, $2, $3::boolean[], $4::bigint[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[]::jsonb[],
    $10::text[]::jsonb[], $11::text[]::jsonb[], $12::timestamptz[], $13::text[], $14::bytea[], $15::text[],
    $16::text[]
)
"""
BEGIN_INTENTS = """
SELECT storage_begin_intents(
    $1, $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::text[], $8::text[]::jsonb[],
    $9::text[]::jsonb[], $10::text[]::jsonb[], $11::text[], $12
)
"""
COMMIT_INTENTS = "SELECT storage_commit_intents($1, $2::uuid[], $3::text[], $4::bigint[], $5)"

# A write that takes longer than this is looked for on its backend, and again until it ends.
FIRST_CHECK = timedelta(seconds=30)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REFUSALS: Mapping[str, type[errors.StorageRefusal]] = {
    "bucket_gone": errors.BucketGone,
    "precondition": errors.PreconditionFailed,
    "quota": errors.QuotaReached,
    "upload_gone": errors.UploadGone,
}

Change = PutCommit | DeleteCommit


def raise_refusal(verdict: str | None) -> None:
    """Raise the exception that a verdict stands for; None and verdicts that refuse nothing pass."""
    if verdict is not None and verdict in _REFUSALS:
        raise _REFUSALS[verdict]


def as_json(pairs: Mapping[str, str]) -> str:
    return orjson.dumps(dict(pairs)).decode() if pairs else "{}"


def from_json(text: str) -> dict[str, str]:
    return orjson.loads(text) if text != "{}" else {}


def _expectation(change: Change) -> str | None:
    if isinstance(change, DeleteCommit) or change.expected is None:
        return None
    return "*" if change.expected.absent else change.expected.etag


async def commit_changes(
    conn: Connection, tenant_id: int, changes: Sequence[Change], *, enforce: bool = True
) -> Sequence[str | None]:
    """The verdict on each; what was not refused is done. Without `enforce` no quota refuses it."""
    puts = [c if isinstance(c, PutCommit) else None for c in changes]
    verdicts: list[str | None] = await conn.fetchval(
        COMMIT,
        tenant_id,
        enforce,
        [p is None for p in puts],
        [c.bucket.id for c in changes],
        [c.key for c in changes],
        [p.size if p else 0 for p in puts],
        [p.etag if p else "" for p in puts],
        [p.content_type if p else "" for p in puts],
        [as_json(p.metadata) if p else "{}" for p in puts],
        [as_json(p.headers) if p else "{}" for p in puts],
        [as_json(p.checksums) if p else "{}" for p in puts],
        [p.last_modified if p else _EPOCH for p in puts],
        [p.blob if p else None for p in puts],
        [p.inline if p else None for p in puts],
        [c.actor for c in changes],
        [_expectation(c) for c in changes],
    )
    return verdicts


def row_of(put: PutCommit) -> ObjectRow:
    """The row that a committed put has become."""
    return ObjectRow(
        bucket_id=put.bucket.id,
        key=put.key,
        size=put.size,
        etag=put.etag,
        content_type=put.content_type,
        last_modified=put.last_modified,
        metadata=put.metadata,
        headers=put.headers,
        checksums=put.checksums,
        blob=put.blob,
        inline=put.inline,
    )


@dataclass(frozen=True, slots=True)
class NewIntent:
    id: str
    change: Change

    @property
    def kind(self) -> Literal["put", "delete"]:
        return "put" if isinstance(self.change, PutCommit) else "delete"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a backend said to a journalled write. `size` None: as announced."""

    intent: Intent
    etag: str
    size: int | None = None


async def begin_intents(
    conn: Connection, tenant_id: int, wanted: Sequence[NewIntent]
) -> Sequence[str | None]:
    """The verdict on each: None is journalled."""
    puts = [w.change if isinstance(w.change, PutCommit) else None for w in wanted]
    verdicts: list[str | None] = await conn.fetchval(
        BEGIN_INTENTS,
        tenant_id,
        [w.id for w in wanted],
        [w.kind for w in wanted],
        [w.change.bucket.id for w in wanted],
        [w.change.key for w in wanted],
        [p.size if p else 0 for p in puts],
        [p.content_type if p else "" for p in puts],
        [as_json(p.metadata) if p else "{}" for p in puts],
        [as_json(p.headers) if p else "{}" for p in puts],
        [as_json(p.checksums) if p else "{}" for p in puts],
        [w.change.actor for w in wanted],
        FIRST_CHECK,
    )
    return verdicts


async def commit_intents(
    conn: Connection, tenant_id: int, confirmed: Sequence[Confirmed]
) -> Sequence[str | None]:
    """The verdict on each: None is committed, 'settled' was committed by the sweeper."""
    verdicts: list[str | None] = await conn.fetchval(
        COMMIT_INTENTS,
        tenant_id,
        [c.intent.id for c in confirmed],
        [c.etag for c in confirmed],
        [c.size for c in confirmed],
        FIRST_CHECK,
    )
    return verdicts
