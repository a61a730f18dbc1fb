"""ObjectIndex: reads and commits of object rows, one per process.

Writes of one tenant that wait at the same time commit together (`batches`); each is answered when its
transaction is durable, and every later read sees it. Refusals are the exceptions of `storage.errors`: after one
of them nothing was written, and the caller removes its blob. After any other exception, cancellation too, the
outcome is unknown: leave the blob, the sweep of blobs without a row decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID, uuid4

from gateway.decision.database import LOST
from storage.errors import VersionGone

from . import commits, listing, multipart
from .batches import Batcher
from .bell import Bell, Ringer
from .commits import Change, Confirmed, Done, NewIntent
from .ends import Ends
from .kept import Kept
from .rows import row_key
from .types import (
    BucketInfo,
    DeleteCommit,
    DeleteOutcome,
    Intent,
    ListPage,
    ObjectRow,
    PartRow,
    PutCommit,
    UploadPage,
    UploadRow,
    VersionPage,
)

if TYPE_CHECKING:
    from gateway.decision.database import Database

ROOM = """
SELECT q.storage_bytes IS NULL OR coalesce(u.bytes + u.upload_bytes, 0) + $2 <= q.storage_bytes
FROM tenants_quota q LEFT JOIN storage_usage u USING (tenant_id) WHERE q.tenant_id = $1
"""


class ObjectIndex:
    """Make it within the running event loop. `keep` is how many bytes of rows may be kept in memory."""

    def __init__(self, db: Database, bell: Bell | None = None, *, keep: int = 0) -> None:
        self._db = db
        self._kept = Kept(db, keep)
        self._ringer = Ringer(bell)
        self._ends = Ends(db)
        self._changes: Batcher[Change, Done] = Batcher(
            self._commit_changes, lambda change: (change.bucket.id, change.key)
        )
        self._begins: Batcher[NewIntent, str | None] = Batcher(self._begin_intents, lambda new: new.id)
        self._confirms: Batcher[Confirmed, str | None] = Batcher(self._commit_intents, lambda c: c.intent.id)

    async def close(self) -> None:
        """Wait for the commits under way."""
        for batcher in (self._begins, self._changes, self._confirms):
            await batcher.close()
        await self._ends.close()
        await self._ringer.close()
        await self._kept.close()

    # Reads.

    async def head(self, bucket: BucketInfo, key: str) -> ObjectRow | None:
        """The object with its inline body: from memory, or in one round trip.

        Only rows of local buckets are kept: on a remote one the backend has the last word.
        """

        async def read() -> ObjectRow | None:
            async with self._db.tenant(bucket.tenant_id) as conn:
                return await listing.head(conn, bucket, key)

        if bucket.kind != "local":
            return await read()
        return await self._kept.read(row_key(bucket, key), read)

    async def latest(self, bucket: BucketInfo, key: str) -> ObjectRow | None:
        """The newest version, which may be a delete marker; None where the key has none."""
        async with self._db.tenant(bucket.tenant_id) as conn:
            return await listing.find_version(conn, bucket, key, None)

    async def find_version(self, bucket: BucketInfo, key: str, version_id: str) -> ObjectRow:
        """One version with its inline body; it may be a delete marker. Raises VersionGone."""
        async with self._db.tenant(bucket.tenant_id) as conn:
            found = await listing.find_version(conn, bucket, key, version_id)
        if found is None:
            raise VersionGone
        return found

    async def list_versions(
        self,
        bucket: BucketInfo,
        prefix: str = "",
        delimiter: str = "",
        after: tuple[str, str] | None = None,
        max_keys: int = 1000,
    ) -> VersionPage:
        """Versions and delete markers after the (key, version id) `after`; an empty version id skips all of the key.

        After a version that is gone (a client deletes what it lists) all that is left of its key follows.
        """
        async with self._db.tenant(bucket.tenant_id) as conn:
            return await listing.list_versions(conn, bucket, prefix, delimiter, after, max_keys)

    async def list_objects(
        self,
        bucket: BucketInfo,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        max_keys: int = 1000,
    ) -> ListPage:
        """Keys after `start_after` in byte order; with a delimiter the levels below are skipped, never read.

        A `start_after` that is itself a common prefix skips all of it. Contents and prefixes count alike.
        """
        async with self._db.tenant(bucket.tenant_id) as conn:
            return await listing.list_objects(conn, bucket, prefix, delimiter, start_after, max_keys)

    async def fits(self, tenant_id: int, size: int) -> bool:
        """Whether a body of `size` may fit the quota: an early answer, the commit decides."""
        async with self._db.tenant(tenant_id) as conn:
            return await conn.fetchval(ROOM, tenant_id, size) is not False

    # Commits.

    async def commit_put(self, put: PutCommit) -> ObjectRow:
        """Row, usage and event in one transaction; the blob it replaces is removed later.

        Raises BucketGone, QuotaReached, PreconditionFailed (ObjectGone), ObjectLocked.
        """
        done = await self._changes.submit(put.bucket.tenant_id, put)
        commits.raise_refusal(done.verdict)
        return commits.row_of(put, done)

    async def delete_object(self, delete: DeleteCommit) -> DeleteOutcome:
        """Remove the object or a version of it, or mark it deleted; what was not there makes no event.

        Raises BucketGone, PreconditionFailed, ObjectLocked.
        """
        done = await self._changes.submit(delete.bucket.tenant_id, delete)
        commits.raise_refusal(done.verdict)
        return DeleteOutcome(done.verdict is None, done.version_id, done.is_marker)

    async def set_tags(
        self, bucket: BucketInfo, key: str, version_id: str | None, tags: Mapping[str, str], actor: str
    ) -> ObjectRow:
        """Replace the tags of a version (None: the current one); returns it.

        Raises BucketGone, VersionGone (also where there is no current object), IsDeleteMarker.
        """
        return await self._amend(bucket, key, version_id, "tags", dict(tags), actor)

    async def set_retention(
        self,
        bucket: BucketInfo,
        key: str,
        version_id: str | None,
        mode: str | None,
        until: datetime | None,
        *,
        bypass_governance: bool,
        actor: str,
    ) -> ObjectRow:
        """Retain a version until then (None, None: not any more); returns it.

        What is retained may only be retained longer, or, in governance mode and with `bypass_governance`, as one
        likes. Raises ObjectLocked and as `set_tags`.
        """
        retention = {} if mode is None or until is None else {"mode": mode, "until": until}
        return await self._amend(
            bucket, key, version_id, "retention", retention, actor, bypass_governance=bypass_governance
        )

    async def set_legal_hold(
        self, bucket: BucketInfo, key: str, version_id: str | None, *, hold: bool, actor: str
    ) -> ObjectRow:
        """Hold a version, or let go of it; returns it. Raises as `set_tags`."""
        return await self._amend(bucket, key, version_id, "hold", hold, actor)

    # Writes to a remote backend.

    async def begin_intent(self, put: PutCommit, completes: UploadRow | None = None) -> Intent:
        """Journal a write before it is forwarded; `size` as announced, its etag and body are ignored.

        The upload that it `completes` ends with it, whoever commits it. Raises BucketGone, QuotaReached: what the
        backend then takes is never refused.
        """
        intent = await self._begin(put)
        if completes is not None:
            try:
                async with self._db.tenant(intent.tenant_id) as conn:
                    upload_id = UUID(completes.id)
                    await conn.execute(multipart.COMPLETES, intent.tenant_id, UUID(intent.id), upload_id)
            except BaseException:  # cancellation too: the backend is not asked then
                self._ends.tell_later(intent, multipart.DROP_INTENT)
                raise
        return intent

    async def begin_delete_intent(self, delete: DeleteCommit) -> Intent:
        """Journal a delete before it is forwarded. Raises BucketGone."""
        return await self._begin(delete)

    async def commit_intent(
        self, intent: Intent, etag: str = "", size: int | None = None, version_id: str | None = None
    ) -> bool:
        """The backend said yes: commit what was journalled, with its answer's ETag (without quotes) and version.

        Exactly one event, also when the sweeper was faster, which False tells. `size` where it was not known before.
        """
        verdict = await self._confirms.submit(intent.tenant_id, Confirmed(intent, etag, size, version_id))
        commits.raise_refusal(verdict)
        return verdict != "settled"

    async def abandon_intent(self, intent: Intent) -> None:
        """The backend said no: nothing was written. Where the database is away it is told later."""
        await self._ends.tell(intent, multipart.DROP_INTENT)

    async def end_intent(self, intent: Intent) -> None:
        """Nobody waits for the backend's answer any more: what it shows is looked at soon. As `abandon_intent`."""
        await self._ends.tell(intent, multipart.END_INTENT)

    # Multipart.

    async def create_upload(self, put: PutCommit, remote_id: str = "") -> UploadRow:
        """Start an upload with `put`'s key, type, metadata and headers (its size, etag and body are ignored).

        Raises BucketGone.
        """
        async with self._db.tenant(put.bucket.tenant_id) as conn:
            return await multipart.create(conn, put, remote_id)

    async def get_upload(self, bucket: BucketInfo, key: str, upload_id: str) -> UploadRow:
        """Raises UploadGone."""
        async with self._db.tenant(bucket.tenant_id) as conn:
            return await multipart.get(conn, bucket, key, upload_id)

    async def record_part(self, bucket: BucketInfo, upload_id: str, part: PartRow) -> None:
        """Keep a part that is safe on disk or backend, in place of one with its number.

        Raises UploadGone, QuotaReached.
        """
        async with self._db.tenant(bucket.tenant_id) as conn:
            await multipart.record_part(conn, bucket, upload_id, part)

    async def list_parts(
        self, bucket: BucketInfo, upload_id: str, after: int = 0, max_parts: int = 1000
    ) -> tuple[list[PartRow], int | None]:
        """Parts by number, and the number to go on after (None = that was all). Raises UploadGone."""
        async with self._db.tenant(bucket.tenant_id) as conn:
            return await multipart.list_parts(conn, bucket, upload_id, after, max_parts)

    async def list_uploads(
        self,
        bucket: BucketInfo,
        prefix: str = "",
        delimiter: str = "",
        after: tuple[str, str] | None = None,
        max_uploads: int = 1000,
    ) -> UploadPage:
        """Unfinished uploads by key, then by id."""
        async with self._db.tenant(bucket.tenant_id) as conn:
            return await multipart.list_uploads(conn, bucket, prefix, delimiter, after, max_uploads)

    async def choose_parts(
        self, bucket: BucketInfo, upload_id: str, wanted: Sequence[tuple[int, str]]
    ) -> list[PartRow]:
        """The parts that Complete names, checked.

        Raises UploadGone, InvalidPart, InvalidPartOrder, PartTooSmall.
        """
        async with self._db.tenant(bucket.tenant_id) as conn:
            return await multipart.choose_parts(conn, bucket, upload_id, wanted)

    async def complete_upload(
        self, upload: UploadRow, put: PutCommit, intent: Intent | None = None
    ) -> ObjectRow:
        """Commit `put` and end the upload in one transaction; the parts' blobs are removed later.

        Local: `choose_parts` → `BlobStore.join` → this. Remote: `begin_intent` → forward → this with the intent,
        which ends it: no quota refuses any more, nor an upload that is gone. Raises BucketGone, of a local one also
        UploadGone (when a second Complete was faster), QuotaReached, PreconditionFailed.
        """
        async with (
            self._kept.writing([row_key(put.bucket, put.key)]),
            self._db.tenant(put.bucket.tenant_id) as conn,
        ):
            done = await multipart.complete(conn, upload, put, intent)
        self._ringer.ring(put.bucket.tenant_id)
        return commits.row_of(put, done)

    async def abort_upload(self, bucket: BucketInfo, key: str, upload_id: str) -> UploadRow:
        """End the upload; its parts are removed later. Raises UploadGone."""
        async with self._db.tenant(bucket.tenant_id) as conn:
            return await multipart.abort(conn, bucket, key, upload_id)

    # Batches.

    async def _begin(self, change: Change) -> Intent:
        """The journalled change. What nobody hears of may be journalled all the same, and is dropped."""
        new = NewIntent(uuid4().hex, change)
        intent = Intent(new.id, change.bucket.tenant_id)
        submitted = asyncio.ensure_future(self._begins.submit(intent.tenant_id, new))
        try:
            verdict = await asyncio.shield(submitted)
        except asyncio.CancelledError:  # its batch goes on
            submitted.add_done_callback(lambda _: self._ends.tell_later(intent, multipart.DROP_INTENT))
            raise
        except LOST:
            self._ends.tell_later(intent, multipart.DROP_INTENT)
            raise
        commits.raise_refusal(verdict)
        return intent

    async def _commit_changes(self, tenant_id: int, changes: Sequence[Change]) -> Sequence[Done]:
        names = [row_key(change.bucket, change.key) for change in changes]
        async with self._kept.writing(names), self._db.tenant(tenant_id) as conn:
            done = await commits.commit_changes(conn, tenant_id, changes)
        self._ringer.ring(tenant_id)
        return done

    async def _amend(
        self,
        bucket: BucketInfo,
        key: str,
        version_id: str | None,
        what: Literal["tags", "retention", "hold"],
        value: Any,
        actor: str,
        *,
        bypass_governance: bool = False,
    ) -> ObjectRow:
        async with (
            self._kept.writing([row_key(bucket, key)]),
            self._db.tenant(bucket.tenant_id) as conn,
            conn.transaction(),
        ):
            amended = await commits.amend(
                conn, bucket, key, version_id, what, value, bypass_governance=bypass_governance, actor=actor
            )
            row = await listing.find_version(conn, bucket, key, amended)
        self._ringer.ring(bucket.tenant_id)
        assert row is not None  # it is locked until the transaction ends
        return row

    async def _begin_intents(self, tenant_id: int, wanted: Sequence[NewIntent]) -> Sequence[str | None]:
        async with self._db.tenant(tenant_id) as conn:
            return await commits.begin_intents(conn, tenant_id, wanted, self._kept.lease.process)

    async def _commit_intents(self, tenant_id: int, confirmed: Sequence[Confirmed]) -> Sequence[str | None]:
        async with self._db.tenant(tenant_id) as conn:
            verdicts = await commits.commit_intents(conn, tenant_id, confirmed)
        self._ringer.ring(tenant_id)
        return verdicts
