"""GetObject and HeadObject: conditions, ranges and parts here, the bytes from the edge."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import NamedTuple

from gateway.decision.types import Answer, Decision, Handle, SendFile
from storage.index import ObjectRow
from storage.s3 import (
    answers,
    checksums,
    conditional,
    counts,
    encryption,
    expiration,
    headers,
    parts,
    ranges,
    remote,
    versions,
)
from storage.s3.body import Receive
from storage.s3.encryption import Reading
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.ranges import ByteRange
from storage.s3.request import Request
from storage.s3.text import http_date
from storage.store.blobs import path_of


class Read(NamedTuple):
    """What to answer: the object, its headers, which of its bytes (None: all), and how to open them."""

    row: ObjectRow
    headers: list[tuple[str, str]]
    span: ByteRange | None
    is_partial: bool
    reading: Reading

    @property
    def size(self) -> int:
        if self.span is not None:
            return self.span.length
        return 0 if self.is_partial else self.row.size

    @property
    def start(self) -> int:
        return self.span.first if self.span else 0

    def described(self) -> tuple[int, list[tuple[str, str]]]:
        """Status and headers of an answer whose body is not the edge's."""
        found = [*self.headers, ("Accept-Ranges", "bytes"), ("Content-Length", str(self.size))]
        if self.span is not None:
            found.append(("Content-Range", f"bytes {self.span.first}-{self.span.last}/{self.row.size}"))
        return (206 if self.is_partial else 200), found


async def read(request: Request, front: Front) -> Decision:
    """The object: inline from the index, from our store by the edge, or from its backend.

    HEAD is decided like GET; the edge leaves the body out. What is sealed in a file passes through `stream`.
    """
    bucket = request.bucket
    if request.access.is_anonymous and any(name.startswith("response-") for name in request.query):
        raise S3Error(
            "InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests."
        )
    if bucket.kind == "s3":
        return await remote.forward_read(request, bucket, front)
    found = await _found(request, front)
    row, is_head = found.row, request.head.method == "HEAD"
    if row.sse is not None and row.inline is None and found.size:
        return Handle()
    if not is_head:
        counts.BYTES.add(("out",), found.size)
    if row.blob is not None and row.sse is None and not (found.is_partial and found.span is None):
        return SendFile(
            path_of(row.blob),
            [pair for pair in found.headers if pair[0] != "Last-Modified"],
            http_date(row.last_modified),
            f"bytes={found.span.first}-{found.span.last}" if found.span else None,
        )
    status, described = found.described()
    if not found.size:
        return Answer(status, described)
    if row.inline is None:
        raise S3Error("InternalError")
    # For HEAD too: who asks for the decision waits for as many bytes as Content-Length says.
    return Answer(status, described, found.reading.inline(row.inline, found.start, found.size))


async def stream(request: Request, front: Front, receive_body: Receive) -> answers.Stream | Answer:
    """What is sealed in a file, opened on its way; or what the edge cannot fetch from a backend."""
    if request.bucket.kind == "s3":
        return await remote.stream_read(request, request.bucket, front)
    found = await _found(request, front)
    status, described = found.described()
    row = found.row
    if row.inline is not None:  # it was written anew since this was decided
        return Answer(status, described, found.reading.inline(row.inline, found.start, found.size))
    if row.blob is None:
        raise S3Error("InternalError")
    if request.head.method == "HEAD":
        return answers.Stream(status, described, _following())
    body = front.store.read(row.blob, found.start, found.size, opener=found.reading.opener)
    first = await anext(body, b"")  # a blob that is gone can still be told
    counts.BYTES.add(("out",), found.size)
    return answers.Stream(status, described, _following(first, rest=body))


async def _following(*first: bytes, rest: AsyncIterator[bytes] | None = None) -> AsyncGenerator[bytes, None]:
    """The pieces one after the other; what they come from is closed with it."""
    try:
        for piece in first:
            yield piece
        if rest is not None:
            async for piece in rest:
                yield piece
    finally:
        if isinstance(rest, AsyncGenerator):
            await rest.aclose()


async def _found(request: Request, front: Front) -> Read:
    """The object and what of it is wanted. Raises S3Error: not there, not modified, no such range or part, …"""
    bucket, query = request.bucket, request.query
    version_id = versions.asked(request)
    row = await versions.find(front, bucket, request.key, version_id)
    wanted = request.headers.get("range")
    part = None
    if "partNumber" in query:
        number = request.part_number
        if wanted is not None:
            raise S3Error("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
        part = parts.find(row, number)
    reading = encryption.reading(request, bucket, row)
    described = headers.answer(row, with_checksum=False)
    described += versions.named(bucket, row, version_id)
    if version_id is None:
        described += expiration.header(bucket, row)
    described += reading.headers
    try:
        conditional.check_read(request.headers, row.etag, row.last_modified)
    except S3Error as error:
        if error.status == 304:
            error.headers.update(headers.not_modified(described))
        raise
    asks_checksum = request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    if part is not None:
        if part.of:
            described.append(("x-amz-mp-parts-count", str(part.of)))
        if asks_checksum and row.checksums:
            described += headers.checksum(
                part.checksums, checksums.kind_of(next(iter(row.checksums.values())))
            )
        span, is_partial = part.span, part.span is not None or part.of > 0
    else:
        span = None
        if wanted is not None and conditional.range_holds(request.headers, row.etag, row.last_modified):
            span = ranges.parse(wanted, row.size)
        is_partial = span is not None
        if asks_checksum and wanted is None:
            described += headers.checksum(row.checksums)
    return Read(row, headers.override(described, query), span, is_partial, reading)
