"""What all writes to backends share: what is announced, the condition against the index, the body and its promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from storage.index import BucketInfo, Expected, Intent, ObjectRow, PutCommit
from storage.index.types import NULL_VERSION
from storage.s3 import conditional, headers
from storage.s3.backend import Backend, BackendUnsure
from storage.s3.body import Body, Receive
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.receive import Promised, require_digest
from storage.s3.request import Request
from storage.store.digests import Digests

VERSION = "x-amz-version-id"


@dataclass(frozen=True, slots=True)
class Written:
    """What a backend made of a body. `version_id` is None in a bucket that keeps no versions."""

    etag: str
    version_id: str | None = None
    encryption: list[tuple[str, str]] = field(default_factory=list)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """What the answer to the client says of it, besides its ETag."""
        named = self.version_id not in (None, NULL_VERSION)
        return [*([(VERSION, self.version_id or "")] if named else []), *self.encryption]


@asynccontextmanager
async def journalled(intent: Intent, front: Front) -> AsyncIterator[None]:
    """Around the request that an intent was journalled for: a refusal ends it, and what never came is looked for."""
    try:
        yield
    except S3Error as error:
        if isinstance(error, BackendUnsure):
            await front.index.end_intent(intent)
        else:
            await front.index.abandon_intent(intent)
        raise
    except (Exception, asyncio.CancelledError):
        await front.index.end_intent(intent)
        raise


async def backend_of(bucket: BucketInfo, front: Front) -> Backend:
    ctx = front.ctx
    return Backend(ctx.http, await front.backend(bucket), bucket, front.doubts, front.places, ctx.names)


async def announced(request: Request, bucket: BucketInfo, front: Front, size: int) -> PutCommit:
    """The write as it is journalled. Raises QuotaExceeded, PreconditionFailed, and what `headers.wanted` does."""
    kept = headers.wanted(bucket, request.headers)
    if kept.lock:
        require_digest(request)
    await front.check_room(bucket, size, request.key)
    put = PutCommit(
        bucket=bucket,
        key=request.key,
        size=size,
        etag="",
        last_modified=datetime.now(UTC).replace(microsecond=0),
        actor=request.access.actor,
        content_type=kept.content_type,
        metadata=kept.metadata,
        headers=kept.headers,
        expected=conditional.expectation(request.headers),
        tags=kept.tags,
        lock=kept.lock,
    )
    await check_expected(put.expected, put.bucket, put.key, front)
    return put


async def check_expected(expected: Expected | None, bucket: BucketInfo, key: str, front: Front) -> None:
    """The condition against the index; the backend is asked too, but not every one listens.

    Raises NoSuchKey for a tag where there is nothing to bear it, PreconditionFailed.
    """
    if expected is None:
        return
    row = await front.index.head(bucket, key)
    if row is None:
        if expected.etag is not None:
            raise S3Error("NoSuchKey", extra={"Key": key})
        return
    if misfits(expected, row):
        raise S3Error("PreconditionFailed")


def misfits(expected: Expected, row: ObjectRow) -> bool:
    """Whether what is there is not what was expected; as `storage_misfits` of the index."""
    return (
        expected.absent
        or expected.etag not in (None, "*", row.etag)
        or (expected.not_etag is not None and expected.not_etag == row.etag)
        or expected.size not in (None, row.size)
        or expected.last_modified not in (None, row.last_modified.replace(microsecond=0))
    )


def object_headers(put: PutCommit) -> dict[str, str]:
    """A stored object's description as headers of a write to its backend."""
    sent = {name: value for name, value in put.headers.items() if not name.startswith("x-amz-")}
    sent |= {headers.META + name: value for name, value in put.metadata.items()}
    return {"content-type": put.content_type, **sent}


async def send(
    backend: Backend,
    key: str,
    query: str,
    sent: Mapping[str, str],
    content: AsyncIterator[bytes],
    checked: Checked | None,
) -> Mapping[str, str]:
    """PUT `content`; the answer's headers. A failure of the content itself is raised rather than the backend's."""
    if checked is None:
        content = exactly(content, int(sent["Content-Length"]))
    try:
        async with backend.request("PUT", key, query, sent, content) as response:
            return response.headers
    except S3Error:
        if checked and checked.failure:
            raise checked.failure from None
        raise


async def exactly(content: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    """The bytes of a copy's source, which may be another one than the index knows. Raises ServiceUnavailable.

    The last piece is held back until nothing follows: a backend that never gets it stores nothing.
    """
    held, left = b"", size
    async for piece in content:
        left -= len(piece)
        if left < 0:
            break
        if held:
            yield held
        held = piece
    if left:
        raise S3Error("ServiceUnavailable", "The copy's source is not as long as it was.")
    if held:
        yield held


def etag_of(answered: Mapping[str, str]) -> str:
    return answered.get("ETag", "").strip('"')


class Checked:
    """A body on its way through this process to a backend.

    The last piece is held back until all promises are checked: a backend that never gets it stores nothing.
    """

    def __init__(self, promised: Promised, receive_body: Receive) -> None:
        self.failure: S3Error | None = None
        self.checksums: dict[str, str] = {}
        self._promised = promised
        self._body = Body(receive_body, promised.payload, promised.size, promised.seed)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        digests = Digests(self._promised.algorithms)
        held = b""
        try:
            async for piece in self._body:
                digests.update(piece)
                if held:
                    yield held
                held = piece
            computed = digests.checksums()
            self._promised.check(digests.md5(), computed, self._body.trailers)
        except S3Error as error:
            self.failure = error
            raise
        if self._promised.checksum:
            self.checksums = {self._promised.algorithm: computed[self._promised.algorithm]}
        if held:
            yield held
