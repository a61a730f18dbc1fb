"""GetObject and HeadObject: conditions and ranges here, the bytes from the edge."""

from gateway.decision.types import Answer, Decision, SendFile
from storage.index import ObjectRow
from storage.s3 import conditional, headers, ranges, remote
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.ranges import ByteRange
from storage.s3.request import Request
from storage.s3.text import http_date
from storage.store.blobs import path_of


async def get(request: Request, front: Front) -> Decision:
    """The object: inline from the index, from our store by the edge, or from its backend."""
    bucket = await front.bucket(request.access.tenant_id, request.bucket_name)
    _refuse_part_number(request)
    if bucket.kind == "s3":
        return remote.forward_read(request, bucket, await front.backend(bucket))
    row = await front.index.head(bucket, request.key)
    if row is None:
        raise S3Error("NoSuchKey", extra={"Key": request.key})
    described, found = _describe(request, row)
    if row.inline is not None:
        body = row.inline if found is None else row.inline[found.first : found.last + 1]
        return Answer(206 if found else 200, [*described, *_extent(row.size, found)], body)
    if row.blob is None:
        raise S3Error("InternalError")
    return SendFile(
        path_of(row.blob),
        [pair for pair in described if pair[0] != "Last-Modified"],
        http_date(row.last_modified),
        f"bytes={found.first}-{found.last}" if found else None,
    )


async def head(request: Request, front: Front) -> Decision:
    """What `get` would answer, from the index alone: a write is in it before it is acknowledged."""
    bucket = await front.bucket(request.access.tenant_id, request.bucket_name)
    _refuse_part_number(request)
    row = await front.index.head(bucket, request.key)
    if row is None:
        raise S3Error("NoSuchKey", extra={"Key": request.key})
    described, found = _describe(request, row)
    length = found.length if found else row.size
    return Answer(
        206 if found else 200, [*described, *_extent(row.size, found), ("Content-Length", str(length))]
    )


def _describe(request: Request, row: ObjectRow) -> tuple[list[tuple[str, str]], ByteRange | None]:
    """The answer's headers and range. Raises NotModified, PreconditionFailed, InvalidRange."""
    wanted = request.headers.get("range")
    asked = request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    described = headers.answer(row, with_checksum=asked and wanted is None)
    try:
        conditional.check_read(request.headers, row.etag, row.last_modified)
    except S3Error as error:
        if error.status == 304:
            error.headers.update(dict(described[:2]))
        raise
    found = None
    if wanted is not None and conditional.range_holds(request.headers, row.etag, row.last_modified):
        found = ranges.parse(wanted, row.size)
    return headers.override(described, request.query), found


def _extent(size: int, found: ByteRange | None) -> list[tuple[str, str]]:
    extent = [("Accept-Ranges", "bytes")]
    if found:
        extent.append(("Content-Range", f"bytes {found.first}-{found.last}/{size}"))
    return extent


def _refuse_part_number(request: Request) -> None:
    if "partNumber" in request.query:
        raise S3Error("NotImplemented", "Reading an object by part number is not implemented.")
