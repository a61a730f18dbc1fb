"""Whole objects through this process: bodies decoded on their way, copies, reads, deletes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp

from gateway.decision.types import Answer
from storage.errors import ObjectLocked, VersionGone
from storage.index import BucketInfo, DeleteCommit, DeleteOutcome, ObjectRow, PutCommit
from storage.index.types import NULL_VERSION
from storage.s3 import answers, conditional, expiration, headers, signing, versions
from storage.s3.backend import BackendUnsure
from storage.s3.body import Receive
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.receive import Promised
from storage.s3.request import Request
from storage.s3.text import uri_encode

from . import reading, unchanged, wishes
from .alone import alone
from .writing import (
    VERSION,
    Checked,
    Written,
    announced,
    backend_of,
    etag_of,
    journalled,
    misfits,
    object_headers,
    send,
)


async def stream_put(request: Request, bucket: BucketInfo, front: Front, receive_body: Receive) -> Answer:
    """PutObject through this process: the coding is taken off, the promises are kept here."""
    promised = Promised(request)
    async with alone(conditional.expectation(request.headers), bucket, request.key, front):
        put = await announced(request, bucket, front, promised.size)
        put = replace(put, checksums=wishes.of_checksum(promised.checksum, await front.backend(bucket)))
        content = Checked(promised, receive_body)
        done = await store(put, aiter(content), front, request.headers, content)
    told = [*headers.checksum(content.checksums), *done.headers, *expiration.header(bucket, put)]
    return answers.empty(200, [("ETag", f'"{done.etag}"'), *told])


async def store(
    put: PutCommit,
    content: AsyncIterator[bytes],
    front: Front,
    asked: Mapping[str, str] | None = None,
    checked: Checked | None = None,
) -> Written:
    """Write `content` to the bucket's backend and commit it. `asked` are the request's headers. Raises S3Error."""
    backend = await backend_of(put.bucket, front)
    signing.place(backend.info, put.bucket, put.key)
    wanted = wishes.of_write(asked or {}, backend.info, put.bucket)
    sent = {"Content-Length": str(put.size), **object_headers(put), **wanted}
    sent |= wishes.of_condition(asked or {}, backend.info)
    if checked is not None:
        sent |= {f"x-amz-checksum-{name}": value for name, value in put.checksums.items()}
    if (put.lock or checked is not None) and (asked or {}).get("content-md5"):
        sent["Content-MD5"] = (asked or {})["content-md5"]
    intent = await front.index.begin_intent(put)
    async with journalled(intent, front):
        answered = await send(backend, put.key, "", sent, content, checked)
        done = Written(etag_of(answered), answered.get(VERSION), wishes.answered(answered, wanted))
        await front.index.commit_intent(intent, done.etag, version_id=done.version_id)
    return done


async def read(
    bucket: BucketInfo,
    key: str,
    front: Front,
    start: int = 0,
    length: int | None = None,
    *,
    version_id: str = NULL_VERSION,
    sent: Mapping[str, str] | None = None,
) -> AsyncIterator[bytes]:
    """The bytes of an object on a backend, for copies; `sent` is a customer's key. Raises S3Error."""
    if length == 0:
        return
    last = "" if length is None else str(start + length - 1)
    backend = await backend_of(bucket, front)
    query = version_query(bucket, version_id)
    wanted = {"Range": f"bytes={start}-{last}", **wishes.of_customer(sent or {}, backend.info)}
    async with backend.request("GET", key, query, headers=wanted) as response:
        async for piece in response.content.iter_any():
            yield piece


async def stream_read(request: Request, bucket: BucketInfo, front: Front) -> answers.Stream | Answer:
    """GetObject or HeadObject through this process, from a backend whose certificate the edge could not compare."""
    wanted = await reading.wanted(request, bucket, front)
    backend = await backend_of(bucket, front)
    opened = backend.request(request.head.method, request.key, wanted.query, headers=wanted.sent)
    try:
        response = await opened.__aenter__()
    except S3Error as error:
        if error.status in unchanged.STATUSES:
            version_id = versions.asked(request)
            error.headers = await unchanged.told(
                bucket, request.key, version_id, error.status, error.headers, front
            )
        raise
    if request.head.method == "HEAD":
        await opened.__aexit__(None, None, None)
        return Answer(response.status, reading.described(response.headers, wanted))
    described = reading.described(response.headers, wanted)

    async def body() -> AsyncGenerator[bytes, None]:
        try:
            async for piece in response.content.iter_any():
                yield piece
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise BackendUnsure from error  # the client's answer ends short of its length
        finally:
            await opened.__aexit__(None, None, None)

    return answers.Stream(response.status, described, body())


async def delete(change: DeleteCommit, front: Front) -> DeleteOutcome:
    """Remove an object or a version on the backend, then here. Raises S3Error, ObjectLocked."""
    bucket, version_id = change.bucket, change.version_id
    backend = await backend_of(bucket, front)
    signing.place(backend.info, bucket, change.key)
    row = await _doomed(change, front)
    if version_id is not None and row is None:
        return DeleteOutcome(existed=False, version_id=version_id if bucket.versioning else None)
    if change.expected is not None and row is not None and misfits(change.expected, row):
        raise S3Error("PreconditionFailed")
    if version_id is not None and row is not None and is_locked(row, bypass=change.bypass_governance):
        raise ObjectLocked
    intent = await front.index.begin_delete_intent(change)
    query = "" if version_id is None else version_query(bucket, version_id)
    sent = wishes.of_bypass(bypass=change.bypass_governance, backend=backend.info)
    answered: Mapping[str, str] = {}
    async with journalled(intent, front):
        try:
            async with backend.request("DELETE", change.key, query, headers=sent) as response:
                answered = response.headers
        except S3Error as error:
            if error.code not in ("NoSuchKey", "NoSuchVersion"):
                raise
        is_marker = answered.get("x-amz-delete-marker") == "true"
        made = answered.get(VERSION)
        await front.index.commit_intent(intent, version_id=made if version_id is None else None)
    if not bucket.versioning:
        return DeleteOutcome(existed=row is not None)
    if version_id is not None and row is not None:
        return DeleteOutcome(existed=True, version_id=version_id, delete_marker=row.is_delete_marker)
    return DeleteOutcome(existed=row is not None, version_id=made, delete_marker=is_marker)


def version_query(bucket: BucketInfo, version_id: str) -> str:
    """How a version is asked for; in a bucket that never kept any there is but one."""
    return f"versionId={uri_encode(version_id)}" if bucket.versioning else ""


def is_locked(row: ObjectRow, *, bypass: bool) -> bool:
    """Whether a version may not be removed now; as `storage_is_locked` of the index."""
    if row.lock.get("hold"):
        return True
    if "until" not in row.lock or datetime.fromisoformat(row.lock["until"]) <= datetime.now(UTC):
        return False
    return not (bypass and row.lock.get("mode") == "GOVERNANCE")


def unheld(row: ObjectRow) -> ObjectRow:
    """The version as if nobody held it: what is left is its retention."""
    return replace(row, lock={name: value for name, value in row.lock.items() if name != "hold"})


async def _doomed(change: DeleteCommit, front: Front) -> ObjectRow | None:
    """What the index has of what a delete is about."""
    if change.version_id is None or (not change.bucket.versioning and change.version_id == NULL_VERSION):
        return await front.index.head(change.bucket, change.key)
    try:
        return await front.index.find_version(change.bucket, change.key, change.version_id)
    except VersionGone:
        return None
