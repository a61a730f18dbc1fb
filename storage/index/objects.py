"""ObjectIndex: reads and commits of object rows, one per process.

Writes of one tenant that wait at the same time commit together (`committer`); each is answered when its
transaction is durable, and every later read sees it. Refusals are the exceptions of `storage.errors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol

from .types import (
    BucketInfo,
    DeleteCommit,
    Intent,
    ListPage,
    ObjectRow,
    PartRow,
    PutCommit,
    UploadPage,
    UploadRow,
)

if TYPE_CHECKING:
    import asyncpg


class Database(Protocol):
    """What the decision context's `db` offers."""

    def tenant(self, tenant_id: int) -> AbstractAsyncContextManager[asyncpg.Connection[Any]]: ...

    def wide(self) -> AbstractAsyncContextManager[asyncpg.Connection[Any]]: ...


class Bell(Protocol):
    """The decision context's `redis`: rung after a commit, never waited for."""

    async def publish(self, channel: str, message: Any) -> Any: ...


class ObjectIndex:
    def __init__(self, db: Database, bell: Bell | None = None) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        """Wait for the commits under way."""
        raise NotImplementedError

    # reads

    async def head(self, bucket: BucketInfo, key: str) -> ObjectRow | None:
        """The object with its inline body, in one round trip."""
        raise NotImplementedError

    async def list_objects(
        self,
        bucket: BucketInfo,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        max_keys: int = 1000,
    ) -> ListPage:
        """Keys after `start_after` in byte order; with a delimiter the levels below are skipped, never read.

        A `start_after` that is itself a common prefix skips all of it. Contents and prefixes count to `max_keys`.
        """
        raise NotImplementedError

    async def fits(self, tenant_id: int, size: int) -> bool:
        """Whether a body of `size` may fit the quota: an early answer, the commit decides."""
        raise NotImplementedError

    # commits

    async def commit_put(self, put: PutCommit) -> ObjectRow:
        """Row, usage and event in one transaction; the blob it replaces is removed later.

        Raises BucketGone, QuotaReached, PreconditionFailed. The caller deletes its blob then.
        """
        raise NotImplementedError

    async def delete_object(self, delete: DeleteCommit) -> bool:
        """Remove the object; False when there was none (no event then). Raises BucketGone."""
        raise NotImplementedError

    # writes to a remote backend

    async def begin_intent(self, put: PutCommit) -> Intent:
        """Journal a write before it is forwarded; `size` as announced, `etag` may be empty (unknown yet)."""
        raise NotImplementedError

    async def begin_delete_intent(self, delete: DeleteCommit) -> Intent:
        """Journal a delete before it is forwarded."""
        raise NotImplementedError

    async def commit_intent(self, intent: Intent, etag: str = "") -> ObjectRow | None:
        """The backend said yes: commit what was journalled, with its answer's ETag (without quotes).

        None for a delete. Exactly one event, also when the sweeper was faster.
        """
        raise NotImplementedError

    async def abandon_intent(self, intent: Intent) -> None:
        """The backend said no: nothing was written."""
        raise NotImplementedError

    # multipart

    async def create_upload(self, put: PutCommit, remote_id: str = "") -> UploadRow:
        """Start an upload with `put`'s key, type, metadata and headers (its size, etag and body are ignored).

        Raises BucketGone.
        """
        raise NotImplementedError

    async def get_upload(self, bucket: BucketInfo, key: str, upload_id: str) -> UploadRow:
        """Raises UploadGone."""
        raise NotImplementedError

    async def record_part(self, bucket: BucketInfo, upload_id: str, part: PartRow) -> None:
        """Keep a part that is safe on disk or backend, in place of one with its number.

        Raises UploadGone, QuotaReached. The caller deletes its blob then.
        """
        raise NotImplementedError

    async def list_parts(
        self, bucket: BucketInfo, upload_id: str, after: int = 0, max_parts: int = 1000
    ) -> tuple[list[PartRow], int | None]:
        """Parts by number, and the number to go on after (None = that was all). Raises UploadGone."""
        raise NotImplementedError

    async def list_uploads(
        self,
        bucket: BucketInfo,
        prefix: str = "",
        delimiter: str = "",
        after: tuple[str, str] | None = None,
        max_uploads: int = 1000,
    ) -> UploadPage:
        """Unfinished uploads by key, then by id."""
        raise NotImplementedError

    async def choose_parts(
        self, bucket: BucketInfo, upload_id: str, wanted: Sequence[tuple[int, str]]
    ) -> list[PartRow]:
        """The parts that Complete names, checked. Raises UploadGone, InvalidPart, InvalidPartOrder, PartTooSmall."""
        raise NotImplementedError

    async def complete_upload(self, upload: UploadRow, put: PutCommit) -> ObjectRow:
        """Commit `put` and end the upload in one transaction; the parts' blobs are removed later.

        Join them first: `choose_parts` → `BlobStore.join` → this. Raises UploadGone (also when a second Complete
        was faster), BucketGone, QuotaReached, PreconditionFailed.
        """
        raise NotImplementedError

    async def abort_upload(self, bucket: BucketInfo, key: str, upload_id: str) -> UploadRow:
        """End the upload; its parts are removed later. Raises UploadGone."""
        raise NotImplementedError
