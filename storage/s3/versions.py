"""The version of an object that a request means."""

from __future__ import annotations

import re
from typing import Final

from storage.errors import VersionGone
from storage.index import BucketInfo, ObjectRow
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.headers import DELETE_MARKER, VERSION
from storage.s3.request import Request
from storage.s3.text import http_date

_ID: Final = re.compile(r"null|[A-Za-z0-9_.~-]{1,1024}", re.ASCII)
_OWN_ID: Final = re.compile(r"null|[A-Za-z0-9_.~-]{32}", re.ASCII)  # as long as those that we make


def asked(request: Request) -> str | None:
    """The id that the query names, or None: the current object is meant. Raises InvalidArgument."""
    version_id = request.query.get("versionId")
    return None if version_id is None else valid(version_id, request.bucket)


def valid(version_id: str, bucket: BucketInfo | None = None) -> str:
    """`version_id` when it could be one, in `bucket` if that is known. Raises InvalidArgument."""
    form = _OWN_ID if bucket is not None and bucket.kind == "local" else _ID
    if not form.fullmatch(version_id):
        raise S3Error(
            "InvalidArgument",
            "Invalid version id specified" if version_id else "Version id cannot be the empty string",
            extra={"ArgumentName": "versionId", "ArgumentValue": version_id},
        )
    return version_id


async def find(front: Front, bucket: BucketInfo, key: str, version_id: str | None) -> ObjectRow:
    """The object's row, with its inline body; no delete marker.

    Raises NoSuchKey, also where a delete marker is the newest (its headers tell so), NoSuchVersion, and
    MethodNotAllowed for a version that is a delete marker.
    """
    if version_id is None:
        row = await front.index.head(bucket, key)
        if row is not None:
            return row
        marker = await front.index.latest(bucket, key) if bucket.versioning else None
        raise S3Error("NoSuchKey", extra={"Key": key}, headers=_of_marker(marker))
    try:
        row = await front.index.find_version(bucket, key, version_id)
    except VersionGone:
        raise S3Error("NoSuchVersion", extra={"Key": key, "VersionId": version_id}) from None
    if row.is_delete_marker:
        raise S3Error(
            "MethodNotAllowed",
            extra={"Method": "GET", "ResourceType": "DeleteMarker"},
            headers={
                **_of_marker(row),
                "Allow": "DELETE",
                "Last-Modified": http_date(row.last_modified),
            },
        )
    return row


def named(bucket: BucketInfo, row: ObjectRow, version_id: str | None = None) -> list[tuple[str, str]]:
    """The header that says which version was read: where the bucket keeps them, or one was asked for by name."""
    return [(VERSION, row.version_id)] if bucket.versioning or version_id else []


def _of_marker(row: ObjectRow | None) -> dict[str, str]:
    if row is None or not row.is_delete_marker:
        return {DELETE_MARKER: "false"}
    return {DELETE_MARKER: "true", VERSION: row.version_id}
