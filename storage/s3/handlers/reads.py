"""GetObject and HeadObject: conditions and ranges here, the bytes from the edge."""

from gateway.decision.types import Answer, Decision, SendFile
from storage.index import ObjectRow
from storage.s3 import answers, conditional, counts, headers, ranges, remote
from storage.s3.body import Receive
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.ranges import ByteRange
from storage.s3.request import Request
from storage.s3.text import http_date
from storage.store.blobs import path_of


async def read(request: Request, front: Front) -> Decision:
    """The object: inline from the index, from our store by the edge, or from its backend.

    HEAD is decided like GET; the edge leaves the body out.
    """
    if "partNumber" in request.query:
        raise S3Error("NotImplemented", "Reading an object by part number is not implemented.")
    if request.query.get("versionId", "null") != "null":
        raise S3Error("NoSuchVersion")
    bucket = request.bucket
    if bucket.kind == "s3":
        return remote.forward_read(request, bucket, await front.backend(bucket))
    row = await front.index.head(bucket, request.key)
    if row is None:
        raise S3Error("NoSuchKey", extra={"Key": request.key})
    described, found = _describe(request, row)
    if request.head.method == "GET":
        counts.BYTES.add(("out",), found.last + 1 - found.first if found else row.size)
    if row.inline is not None:
        described.append(("Accept-Ranges", "bytes"))
        if found is None:
            return Answer(200, described, row.inline)
        described.append(("Content-Range", f"bytes {found.first}-{found.last}/{row.size}"))
        return Answer(206, described, row.inline[found.first : found.last + 1])
    if row.blob is None:
        raise S3Error("InternalError")
    return SendFile(
        path_of(row.blob),
        [pair for pair in described if pair[0] != "Last-Modified"],
        http_date(row.last_modified),
        f"bytes={found.first}-{found.last}" if found else None,
    )


async def stream(request: Request, front: Front, receive_body: Receive) -> answers.Stream:
    """What is sealed, opened on its way."""
    raise S3Error("NotImplemented")


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
