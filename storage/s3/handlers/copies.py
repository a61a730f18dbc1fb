"""CopyObject and UploadPartCopy: within our store the kernel copies, between stores this process streams."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from gateway.decision.types import Answer
from storage.index import PutCommit
from storage.s3 import (
    answers,
    checksums,
    conditional,
    copy_source,
    encryption,
    expiration,
    headers,
    remote,
    xml_multipart,
)
from storage.s3.body import MAX_OBJECT, Receive
from storage.s3.copy_source import Source
from storage.s3.encryption import Writing
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.handlers.writes import commit_or_discard, record_or_discard
from storage.s3.headers import Kept
from storage.s3.request import Request
from storage.store.digests import BlobInfo

_DIRECTIVES: Final = {"x-amz-metadata-directive": "metadata", "x-amz-tagging-directive": "tagging"}


async def copy(request: Request, front: Front, receive_body: Receive) -> Answer:
    """Copy an object; by its directives with its own metadata and tags (COPY) or the request's (REPLACE)."""
    bucket = request.bucket
    kept = headers.wanted(bucket, request.headers)
    new_metadata, new_tags = (_replaces(request, name) for name in _DIRECTIVES)
    expected = conditional.expectation(request.headers)
    writing = encryption.writing(request, bucket)
    source = await copy_source.find(request, front)
    row = source.row
    if not new_metadata:
        kept = _inherited(kept, source)
    if not new_tags:
        kept = replace(kept, tags=dict(row.tags))
        await copy_source.check_tags(request, front, source)
    if source.bucket.id == bucket.id and row.key == request.key and source.version_id is None:
        changes = new_metadata or headers.REDIRECT in request.headers or _asks_encryption(request)
        if not changes:
            raise S3Error(
                "InvalidRequest",
                "This copy request is illegal because it is trying to copy an object to itself without changing "
                "the object's metadata, storage class, website redirect location or encryption attributes.",
            )
    if row.size > MAX_OBJECT:
        raise S3Error(
            "InvalidRequest",
            f"The specified copy source is larger than the maximum allowable size for a copy source: {MAX_OBJECT}",
        )
    await front.check_room(bucket, row.size, request.key)
    put = PutCommit(
        bucket=bucket,
        key=request.key,
        size=row.size,
        etag=row.etag,
        last_modified=datetime.now(UTC).replace(microsecond=0),
        actor=request.access.actor,
        content_type=kept.content_type,
        metadata=kept.metadata,
        headers=kept.headers,
        checksums=row.checksums,
        expected=expected,
        tags=kept.tags,
        lock=kept.lock,
    )
    if bucket.kind == "s3":
        content = await source.begun(front)
        async with remote.alone(expected, bucket, request.key, front):
            await remote.check_expected(expected, bucket, request.key, front)
            written = await remote.store(put, content, front, request.headers)
        put = replace(put, etag=written.etag)
        described = [*written.headers, *source.headers]
    else:
        put, info = await _stored(request, source, put, writing, front)
        made = await commit_or_discard(front, put, info)
        expires = expiration.header(bucket, made)
        described = [*headers.version(made), *expires, *source.headers, *writing.headers]
    document = xml_multipart.copied("CopyObjectResult", put.etag, put.last_modified, put.checksums)
    return answers.xml(document, described)


async def copy_part(request: Request, front: Front, receive_body: Receive) -> Answer:
    """Make a part of (a range of) an object."""
    bucket = request.bucket
    number = request.part_number
    upload = await front.index.get_upload(bucket, request.key, request.query["uploadId"])
    writing = Writing() if bucket.kind == "s3" else encryption.writing_part(request, bucket, upload)
    source = await copy_source.find(request, front)
    start, length = copy_source.part_range(request, source.row.size)
    if length > MAX_OBJECT:
        raise S3Error(
            "InvalidRequest",
            f"The specified copy source is larger than the maximum allowable size for a copy source: {MAX_OBJECT}",
        )
    await front.check_room(bucket, length)
    content = await source.begun(front, start, length)
    if bucket.kind == "s3":
        part = await remote.store_part(upload, bucket, number, length, content, front, request.headers)
    else:
        info = await _write(front, content, {upload.headers[checksums.ALGORITHM]}, length, writing.key)
        part = await record_or_discard(front, upload, bucket, number, info, writing)
    document = xml_multipart.copied("CopyPartResult", part.etag, part.last_modified, part.checksums)
    return answers.xml(document, [*source.headers, *writing.headers])


def _replaces(request: Request, name: str) -> bool:
    directive = request.headers.get(name, "COPY").upper()
    if directive not in ("COPY", "REPLACE"):
        raise S3Error(
            "InvalidArgument",
            f"Unknown {_DIRECTIVES[name]} directive.",
            extra={"ArgumentName": name, "ArgumentValue": directive},
        )
    return directive == "REPLACE"


def _inherited(kept: Kept, source: Source) -> Kept:
    """The source's type, metadata and headers; a redirect is the request's in any case, as S3 has it."""
    row = source.row
    own = {name: value for name, value in row.headers.items() if name != headers.REDIRECT}
    asked = {name: value for name, value in kept.headers.items() if name == headers.REDIRECT}
    return replace(kept, content_type=row.content_type, metadata=dict(row.metadata), headers={**own, **asked})


def _asks_encryption(request: Request) -> bool:
    return any(name.startswith(encryption.SSE) for name in request.headers)


async def _stored(
    request: Request, source: Source, put: PutCommit, writing: Writing, front: Front
) -> tuple[PutCommit, BlobInfo]:
    """The source's bytes as they will be the copy's: taken over as they are where nothing has to be computed."""
    row = source.row
    wanted = request.headers.get(checksums.ALGORITHM)
    algorithm = checksums.known(wanted) if wanted else next(iter(row.checksums), checksums.DEFAULT)
    as_it_is = algorithm in row.checksums and writing.takes_over(put.bucket, source.bucket, row)
    if as_it_is and row.inline is not None:
        info = BlobInfo(row.size, row.etag, put.last_modified, inline=row.inline)
        put = replace(put, sse=row.sse, parts=row.parts)
    elif as_it_is and row.blob is not None:
        info = await front.store.join([row.blob])
        put = replace(put, sse=row.sse, parts=row.parts)
    else:
        content = source.content(front)
        info = await _write(front, content, {algorithm}, row.size, writing.key, front.inline_limit)
        put = replace(put, etag=writing.etag(info), checksums=info.checksums, sse=writing.row(info))
    return replace(put, blob=info.id, inline=info.inline, last_modified=info.modified), info


async def _write(
    front: Front,
    content: AsyncIterator[bytes],
    algorithms: set[str],
    size: int,
    sealing: bytes | None,
    inline_limit: int = 0,
) -> BlobInfo:
    async with front.store.writer(
        algorithms, inline_limit=inline_limit, size_limit=size, sealing=sealing
    ) as writer:
        async for piece in content:
            await writer.write(piece)
        if writer.received != size:
            raise S3Error("ServiceUnavailable", "The copy's source ended early.")
        return await writer.finish()
