"""What a backend says of a read whose condition it compared, made whole.

RFC 9110 wants the headers of a 304 that a 200 would have had, and some servers leave them out: the index has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from storage.errors import StorageRefusal
from storage.index import BucketInfo, ObjectRow
from storage.s3 import headers, versions
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Request

STATUSES: Final = (304, 412)
_OF_412: Final = frozenset({"etag", "last-modified"})


def note(bucket: BucketInfo, request: Request) -> dict[str, Any]:
    """What `told` and the note of a failing backend need, once the edge has the answer."""
    return {
        "is": "read",
        "backend": bucket.backend_id,
        "tenant": bucket.tenant_id,
        "bucket": bucket.name,
        "key": request.key,
        "version": versions.asked(request),
    }


async def noted(
    token: Mapping[str, Any], status: int, answered: Mapping[str, str], front: Front
) -> dict[str, str]:
    """As `told`, of a read that was noted."""
    try:
        bucket = await front.bucket(token["tenant"], token["bucket"])
    except S3Error:
        return {}
    return await told(bucket, token["key"], token["version"], status, answered, front)


async def told(
    bucket: BucketInfo,
    key: str,
    version_id: str | None,
    status: int,
    answered: Mapping[str, str],
    front: Front,
) -> dict[str, str]:
    """The headers of the client's 304 or 412: the backend's own, the index's for what it left out."""
    found = {name.lower(): value for name, value in answered.items()}
    try:
        row = await versions.find(front, bucket, key, version_id)
    except (S3Error, StorageRefusal):
        row = None
    if row is not None and _is_other(row, found):
        row = None
    pairs = (
        []
        if row is None
        else [*headers.answer(row, with_checksum=False), *versions.named(bucket, row, version_id)]
    )
    whole = {name.lower(): (name, value) for name, value in pairs}
    whole |= {name: (name, value) for name, value in found.items() if value}
    kept = headers.not_modified(list(whole.values()))
    return {name: value for name, value in kept.items() if status == 304 or name.lower() in _OF_412}


def _is_other(row: ObjectRow, found: Mapping[str, str]) -> bool:
    """Whether the backend means another object than the index has: one written a moment ago, or behind our back."""
    return "etag" in found and found["etag"].strip('"') != row.etag
