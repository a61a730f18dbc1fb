"""The source of a copy: found, allowed, its conditions checked, and its bytes from wherever they lie."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final, NamedTuple
from urllib.parse import unquote

from storage.index import BucketInfo, ObjectRow
from storage.s3 import authorise, conditional, customer_keys, encryption, owners, ranges, remote, versions
from storage.s3.encryption import Reading
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Request
from storage.s3.target import decode_key

HEADER: Final = "x-amz-copy-source"

_NOT_ENCODED: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Named(NamedTuple):
    """What the header names."""

    bucket: str
    key: str
    version_id: str | None


class Source(NamedTuple):
    """An object that may be copied. `version_id` is what the request named, if it named one.

    `customer` are the headers of the customer's key that a backend wants to open it.
    """

    bucket: BucketInfo
    row: ObjectRow
    reading: Reading
    version_id: str | None
    customer: Mapping[str, str]

    @property
    def headers(self) -> list[tuple[str, str]]:
        """What the copy's answer says of it."""
        if not self.bucket.versioning and self.version_id is None:
            return []
        return [("x-amz-copy-source-version-id", self.row.version_id)]

    async def content(
        self, front: Front, start: int = 0, length: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The bytes, opened where they are sealed. Raises S3Error."""
        row = self.row
        length = row.size - start if length is None else length
        if row.inline is not None:
            yield self.reading.inline(row.inline, start, length)
            return
        if row.blob is None:
            pieces = remote.read(
                self.bucket, row.key, front, start, length, version_id=row.version_id, sent=self.customer
            )
        else:
            pieces = front.store.read(row.blob, start, length, opener=self.reading.opener)
        async for piece in pieces:
            yield piece

    async def begun(
        self, front: Front, start: int = 0, length: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """As `content`, once its first bytes are there: before anything of the copy is. Raises S3Error."""
        pieces = self.content(front, start, length)
        first = await anext(pieces, b"")

        async def whole() -> AsyncGenerator[bytes, None]:
            async with aclosing(pieces):
                yield first
                async for piece in pieces:
                    yield piece

        return whole()


def parse(header: str) -> Named:
    """Bucket, key and version of an x-amz-copy-source, which is percent-encoded. Raises InvalidArgument."""
    if _NOT_ENCODED.search(header):
        raise _unreadable("Invalid copy source encoding", header)
    raw, asks_version, raw_version = header.partition("?versionId=")
    raw = raw.removeprefix("/")
    if "/" not in raw and "%2F" in raw.upper():  # some clients encode the slashes too
        bucket, _, key = decode_key(raw).removeprefix("/").partition("/")
    else:
        bucket, _, raw_key = raw.partition("/")
        key = decode_key(raw_key)
    if not bucket:
        raise _unreadable("Invalid copy source bucket name", header)
    if not key:
        raise _unreadable("Invalid copy source object key", header)
    return Named(bucket, key, versions.valid(unquote(raw_version)) if asks_version else None)


def _unreadable(message: str, header: str) -> S3Error:
    return S3Error("InvalidArgument", message, extra={"ArgumentName": HEADER, "ArgumentValue": header})


async def find(request: Request, front: Front) -> Source:
    """The object to copy. Raises S3Error."""
    named = parse(request.headers[HEADER])
    bucket = await authorise.source_bucket(request, front, named.bucket, named.key, named.version_id or "")
    owners.check(bucket, request.headers.get(owners.SOURCE))
    if named.version_id is not None:
        versions.valid(named.version_id, bucket)
    try:
        row = await versions.find(front, bucket, named.key, named.version_id)
    except S3Error as error:
        if error.code == "MethodNotAllowed":
            raise S3Error(
                "InvalidRequest",
                "The source of a copy request may not specifically refer to a delete marker.",
            ) from None
        raise
    reading, customer = Reading(), {}
    if bucket.kind == "s3":
        customer = {
            customer_keys.NAMES + name.removeprefix(customer_keys.OF_SOURCE): value
            for name, value in request.headers.items()
            if name.startswith(customer_keys.OF_SOURCE)
        }
    else:
        reading = encryption.reading_source(request, bucket, row)
    conditions = {
        name.removeprefix(HEADER + "-"): value
        for name, value in request.headers.items()
        if name.startswith(HEADER + "-if-")
    }
    try:
        conditional.check_read(conditions, row.etag, row.last_modified)
    except S3Error:
        raise S3Error("PreconditionFailed") from None
    return Source(bucket, row, reading, named.version_id, customer)


async def check_tags(request: Request, front: Front, source: Source) -> None:
    """Return when the caller may read the source's tags and set them on the copy, or it has none.

    Raises AccessDenied.
    """
    row = source.row
    if not row.tags:
        return
    action = "s3:GetObjectTagging" if source.version_id is None else "s3:GetObjectVersionTagging"
    version_id = source.version_id or ""
    reads = await authorise.may(request, front, action, row.key, bucket=source.bucket, version_id=version_id)
    writes = await authorise.may(request, front, "s3:PutObjectTagging", request.key, asked_tags=row.tags)
    if not (reads.allowed and writes.allowed):
        raise S3Error("AccessDenied")


def part_range(request: Request, size: int) -> tuple[int, int]:
    """Start and length of what becomes the part: unlike a read's, a copy's range must lie within the object.

    Raises InvalidArgument, InvalidRange.
    """
    text = request.headers.get(HEADER + "-range")
    if text is None:
        return 0, size
    wanted = ranges.exact(text)
    if wanted is None:
        raise S3Error(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are "
            "the zero-based offsets of the first and last bytes to copy",
            extra={"ArgumentName": HEADER + "-range", "ArgumentValue": text},
        )
    if wanted.last >= size:
        raise S3Error("InvalidRange", extra={"RangeRequested": text.strip(), "ActualObjectSize": str(size)})
    return wanted.first, wanted.length
