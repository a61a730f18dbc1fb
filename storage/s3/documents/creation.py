"""CreateBucketConfiguration, and GetBucketLocation's answer."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from storage.s3.documents import schema
from storage.s3.documents.schema import Field, Struct, Text
from storage.s3.documents.tags import MAX_BUCKET_TAGS, TAG, of_pairs
from storage.s3.errors import S3Error
from storage.s3.text import escape

REGION: Final = "us-east-1"
"""Where a bucket is that was made without saying: the one region that clients sign for without being told."""

_LOCATION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]{0,63}")
_ROOT: Final = "CreateBucketConfiguration"
_PLACE: Final = Struct((Field("Name", Text()), Field("Type", Text())))
_DIRECTORY: Final = Struct((Field("DataRedundancy", Text()), Field("Type", Text())))
_KIND: Final = Struct(
    (
        Field("LocationConstraint", Text()),
        Field("Location", _PLACE),
        Field("Bucket", _DIRECTORY),
        Field("Tags", TAG, wrapped="Tag", many=True),
    )
)


class Creation(NamedTuple):
    location: str
    tags: dict[str, str]


def read(body: bytes) -> Creation:
    """What a CreateBucket asks for; any location will do, for the backend decides where a bucket stands.

    Its `location` is empty for us-east-1, as S3 tells it. An empty body is an empty document. Raises MalformedXML,
    InvalidLocationConstraint, InvalidTag, NotImplemented for directory buckets.
    """
    if not body.strip():
        return Creation("", {})
    found = schema.read(_KIND, _ROOT, body)
    if "Location" in found or "Bucket" in found:
        raise S3Error("NotImplemented", "Directory buckets are not implemented.")
    location = found.get("LocationConstraint", "")
    if location and not _LOCATION.fullmatch(location):
        raise S3Error("InvalidLocationConstraint", extra={"LocationConstraint": location[:100]})
    tags = of_pairs(found.get("Tags", []), MAX_BUCKET_TAGS)
    return Creation("" if location == REGION else location, tags)


def location(said: str) -> bytes:
    """GetBucketLocation's answer; empty means us-east-1."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint xmlns="{schema.NAMESPACE}">'
        f"{escape(said)}</LocationConstraint>"
    ).encode()
