"""The statements behind commits of objects and intents: one call each, whatever the batch holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import orjson

from storage import errors

from .types import NULL_VERSION, BucketInfo, DeleteCommit, Expected, Intent, ObjectRow, PutCommit

if TYPE_CHECKING:
    from gateway.decision.database import Connection

COMMIT = """
SELECT verdicts, versions, markers, locks::text[] FROM storage_commit(
    $1, $2, $3::boolean[], $4::bigint[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[]::jsonb[],
    $10::text[]::jsonb[], $11::text[]::jsonb[], $12::timestamptz[], $13::text[], $14::bytea[], $15::text[],
    $16::text[]::jsonb[], $17::text[], $18::boolean[], $19::text[], $20::text[]::jsonb[], $21::text[]::jsonb[],
    $22::text[]::jsonb[], $23::text[]::jsonb[]
)
"""
AMEND = "SELECT verdict, version FROM storage_amend($1, $2, $3, $4, $5, $6::text::jsonb, $7, $8)"
BEGIN_INTENTS = """
SELECT storage_begin_intents(
    $1, $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::text[], $8::text[]::jsonb[],
    $9::text[]::jsonb[], $10::text[]::jsonb[], $11::text[], $12, $13::text[], $14::text[]::jsonb[],
    $15::text[]::jsonb[], $16::text[]::jsonb[], $17::text[]::jsonb[], $18
)
"""
COMMIT_INTENTS = "SELECT storage_commit_intents($1, $2::uuid[], $3::text[], $4::bigint[], $5, $6::text[])"

# A write that takes longer than this is looked for on its backend, and again until it ends.
FIRST_CHECK = timedelta(seconds=30)

# One that nobody has heard the end of by then is given up: longer than any client takes to send a body.
GIVEN_UP = timedelta(hours=24)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REFUSALS: Mapping[str, type[errors.StorageRefusal]] = {
    "bucket_gone": errors.BucketGone,
    "object_gone": errors.ObjectGone,
    "version_gone": errors.VersionGone,
    "marker": errors.IsDeleteMarker,
    "locked": errors.ObjectLocked,
    "precondition": errors.PreconditionFailed,
    "quota": errors.QuotaReached,
    "upload_gone": errors.UploadGone,
}

Change = PutCommit | DeleteCommit

V = TypeVar("V")


def raise_refusal(verdict: str | None) -> None:
    """Raise the exception that a verdict stands for; None and verdicts that refuse nothing pass."""
    if verdict is not None and verdict in _REFUSALS:
        raise _REFUSALS[verdict]


def as_json(pairs: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(pairs)).decode() if pairs else "{}"


def from_json(text: str) -> dict[str, Any]:
    return orjson.loads(text) if text != "{}" else {}


def from_json_or_none(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


def as_json_or_none(value: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None) -> str | None:
    """As a column that may be null has it."""
    return None if value is None else orjson.dumps(value, default=_plain).decode()


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def _or_nothing(values: list[V | None]) -> list[V | None] | None:
    """A column in which no row has anything is not sent."""
    return values if any(value is not None for value in values) else None


def _expectation(expected: Expected | None) -> str | None:
    if expected is None:
        return None
    conditions = {
        "absent": expected.absent or None,
        "etag": expected.etag,
        "not_etag": expected.not_etag,
        "size": expected.size,
        "modified": expected.last_modified,
    }
    return orjson.dumps({name: value for name, value in conditions.items() if value is not None}).decode()


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a change. `verdict` as storage_commit has it; `lock` what the bucket retains by default."""

    verdict: str | None
    version_id: str | None
    is_marker: bool
    lock: Mapping[str, Any] | None


async def commit_changes(
    conn: Connection, tenant_id: int, changes: Sequence[Change], *, enforce: bool = True
) -> Sequence[Done]:
    """What became of each; what was not refused is done. Without `enforce` no quota and no lock refuses it."""
    puts = [c if isinstance(c, PutCommit) else None for c in changes]
    deletes = [c if isinstance(c, DeleteCommit) else None for c in changes]
    verdicts, versions, markers, locks = await conn.fetchrow(
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
        _or_nothing([_expectation(c.expected) for c in changes]),
        _or_nothing([d.version_id if d else None for d in deletes]),
        _or_nothing([(d.bypass_governance or None) if d else None for d in deletes]),
        _or_nothing([p.version_id if p else None for p in puts]),
        *_columns(puts),
    )
    return [
        Done(verdict, version_id, bool(is_marker), from_json_or_none(lock))
        for verdict, version_id, is_marker, lock in zip(
            verdicts, versions, markers, locks or [None] * len(changes), strict=True
        )
    ]


def _columns(puts: Sequence[PutCommit | None]) -> tuple[list[str | None] | None, ...]:
    """Tags, locks, seals and parts, which most objects have not."""
    return (
        _or_nothing([as_json(p.tags) if p and p.tags else None for p in puts]),
        _or_nothing([as_json(p.lock) if p and p.lock else None for p in puts]),
        _or_nothing([as_json_or_none(p.sse) if p else None for p in puts]),
        _or_nothing([as_json_or_none(p.parts) if p else None for p in puts]),
    )


def row_of(put: PutCommit, done: Done) -> ObjectRow:
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
        version_id=done.version_id or NULL_VERSION,
        tags=put.tags,
        lock=done.lock or put.lock,
        sse=put.sse,
        parts=put.parts,
        writer=put.actor,
    )


async def amend(
    conn: Connection,
    bucket: BucketInfo,
    key: str,
    version_id: str | None,
    what: Literal["tags", "retention", "hold"],
    value: Any,
    *,
    bypass_governance: bool,
    actor: str,
) -> str:
    """Change what `what` says of a version; returns its id. Raises what the verdict stands for."""
    verdict: str | None
    version: str
    verdict, version = await conn.fetchrow(
        AMEND,
        bucket.tenant_id,
        bucket.id,
        key,
        version_id,
        what,
        orjson.dumps(value).decode(),
        bypass_governance,
        actor,
    )
    raise_refusal(verdict)
    return version


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
    version_id: str | None = None


async def begin_intents(
    conn: Connection, tenant_id: int, wanted: Sequence[NewIntent], holder: int
) -> Sequence[str | None]:
    """The verdict on each: None is journalled. `holder` is the number of the process that will hear of their ends."""
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
        _or_nothing([w.change.version_id if isinstance(w.change, DeleteCommit) else None for w in wanted]),
        *_columns(puts),
        holder,
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
        [c.version_id for c in confirmed],
    )
    return verdicts
