"""CopyObject and UploadPartCopy: within our store the kernel copies, between stores this process streams."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

from gateway.decision.types import Answer
from storage.errors import StorageRefusal
from storage.index import BucketInfo, ObjectRow, PartRow, PutCommit
from storage.s3 import (
    answers,
    authorise,
    checksums,
    conditional,
    headers,
    operation,
    ranges,
    receive,
    remote,
    xml,
)
from storage.s3.body import MAX_OBJECT, Receive
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.handlers.multipart import ALGORITHM
from storage.s3.handlers.writes import commit_or_discard
from storage.s3.request import Request
from storage.store.digests import BlobInfo

_SOURCE: Final = "x-amz-copy-source"


class Source(NamedTuple):
    bucket: BucketInfo
    row: ObjectRow


async def copy(request: Request, front: Front, receive_body: Receive) -> Answer:
    """Copy an object, with its own metadata or (directive REPLACE) with the request's."""
    bucket = request.bucket
    source = await _source(request, front)
    replaces = _replaces(request)
    if not replaces and source.bucket.id == bucket.id and source.row.key == request.key:
        raise S3Error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing "
            "the object's metadata, storage class, website redirect location or encryption attributes.",
        )
    if source.row.size > MAX_OBJECT:
        raise S3Error(
            "InvalidRequest",
            f"The specified copy source is larger than the maximum allowable size for a copy source: {MAX_OBJECT}",
        )
    row = source.row
    kept = (
        headers.wanted(request.bucket, request.headers)
        if replaces
        else headers.Kept(row.content_type, dict(row.metadata), dict(row.headers))
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
        expected=conditional.expectation(request.headers),
    )
    if bucket.kind == "s3":
        etag = await remote.store(put, _content(source, front), front)
        put = replace(put, etag=etag)
    else:
        put = await _copy_into_store(request, source, put, front)
    return answers.xml(xml.copied("CopyObjectResult", put.etag, put.last_modified, put.checksums))


async def copy_part(request: Request, front: Front, receive_body: Receive) -> Answer:
    """Make a part of (a range of) an object."""
    bucket = request.bucket
    number = request.part_number
    source = await _source(request, front)
    start, length = _part_range(request, source.row.size)
    upload = await front.index.get_upload(bucket, request.key, request.query["uploadId"])
    await front.check_room(bucket, length)
    content = _content(source, front, start, length)
    if bucket.kind == "s3":
        part = await remote.store_part(upload, bucket, number, length, content, front)
    else:
        info = await _write(front, content, {upload.headers[ALGORITHM]}, length)
        part = PartRow(number, info.size, info.md5, info.modified, info.id, info.checksums)
        try:
            await front.index.record_part(bucket, upload.id, part)
        except StorageRefusal:
            await receive.discard(front, info)
            raise
    return answers.xml(xml.copied("CopyPartResult", part.etag, part.last_modified, part.checksums))


async def _source(request: Request, front: Front) -> Source:
    """The object to copy, its conditions checked. Raises S3Error."""
    raw, _, version = request.headers[_SOURCE].partition("?versionId=")
    if version not in ("", "null"):
        raise S3Error("NoSuchVersion")
    raw_bucket, _, raw_key = raw.removeprefix("/").partition("/")
    if "/" not in raw.removeprefix("/") and "%2F" in raw.upper():  # some clients encode the slashes too
        raw_bucket, _, raw_key = operation.decode_key(raw).removeprefix("/").partition("/")
        key = raw_key
    else:
        key = operation.decode_key(raw_key)
    if not raw_bucket or not key:
        raise S3Error(
            "InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        )
    bucket = await authorise.source_bucket(request, front, raw_bucket, key)
    row = await front.index.head(bucket, key)
    if row is None:
        raise S3Error("NoSuchKey", extra={"Key": key})
    conditions = {
        name.removeprefix(_SOURCE + "-"): value
        for name, value in request.headers.items()
        if name.startswith(_SOURCE + "-if-")
    }
    try:
        conditional.check_read(conditions, row.etag, row.last_modified)
    except S3Error:
        raise S3Error("PreconditionFailed") from None
    return Source(bucket, row)


def _replaces(request: Request) -> bool:
    directive = request.headers.get("x-amz-metadata-directive", "COPY").upper()
    if directive not in ("COPY", "REPLACE"):
        raise S3Error("InvalidArgument", "Unknown metadata directive.")
    return directive == "REPLACE"


def _part_range(request: Request, size: int) -> tuple[int, int]:
    """Start and length of what becomes the part. Unlike a read, a copy's range must lie within the object."""
    text = request.headers.get("x-amz-copy-source-range")
    if text is None:
        return 0, size
    found = ranges.parse(text, size)
    if found is None or text.strip() != f"bytes={found.first}-{found.last}":
        raise S3Error(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are "
            "the zero-based offsets of the first and last bytes to copy",
        )
    return found.first, found.length


async def _copy_into_store(request: Request, source: Source, put: PutCommit, front: Front) -> PutCommit:
    row = source.row
    wanted = request.headers.get("x-amz-checksum-algorithm")
    algorithm = checksums.known(wanted) if wanted else next(iter(row.checksums), checksums.DEFAULT)
    if row.inline is not None and algorithm in row.checksums:
        info = BlobInfo(row.size, row.etag, put.last_modified, inline=row.inline)
    elif row.blob is not None and algorithm in row.checksums:
        info = await front.store.join([row.blob])
    else:
        info = await _write(front, _content(source, front), {algorithm}, row.size, front.inline_limit)
        put = replace(put, etag=info.md5, checksums=info.checksums)
    put = replace(put, blob=info.id, inline=info.inline, last_modified=info.modified)
    await commit_or_discard(front, put, info)
    return put


async def _write(
    front: Front, content: AsyncIterator[bytes], algorithms: set[str], size: int, inline_limit: int = 0
) -> BlobInfo:
    async with front.store.writer(algorithms, inline_limit=inline_limit, size_limit=size) as writer:
        async for piece in content:
            await writer.write(piece)
        if writer.received != size:
            raise S3Error("ServiceUnavailable", "The copy's source ended early.")
        return await writer.finish()


async def _content(
    source: Source, front: Front, start: int = 0, length: int | None = None
) -> AsyncIterator[bytes]:
    """The source's bytes, from wherever they are."""
    row = source.row
    length = row.size - start if length is None else length
    if row.inline is not None:
        yield row.inline[start : start + length]
        return
    pieces = (
        remote.read(source.bucket, row.key, front, start, length)
        if row.blob is None
        else front.store.read(row.blob, start, length)
    )
    async for piece in pieces:
        yield piece
