"""Tags of buckets and objects: the Tagging document, the x-amz-tagging header, and their limits.

Tags are kept as a mapping and answered in the order of their keys.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote_plus

from storage.s3.documents import schema
from storage.s3.documents.schema import Field, Struct, Text
from storage.s3.errors import S3Error

MAX_OBJECT_TAGS: Final = 10
MAX_BUCKET_TAGS: Final = 50
MAX_KEY: Final = 128
MAX_VALUE: Final = 256

TAG: Final = Struct(
    (
        Field("Key", Text(most=schema.LIMIT), required=True),
        Field("Value", Text(most=schema.LIMIT), required=True),
    )
)
_ROOT: Final = "Tagging"
_TAGGING: Final = Struct((Field("TagSet", TAG, wrapped="Tag", many=True, required=True),))
_NOT_ENCODED: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MARKS: Final = frozenset("+-=._:/@ ")


def read(body: bytes, most: int) -> dict[str, str]:
    """The tags of a Tagging document. Raises MalformedXML, or InvalidTag for what a tag may not be."""
    return of_pairs(schema.read(_TAGGING, _ROOT, body)["TagSet"], most)


def write(tags: Mapping[str, str]) -> bytes:
    """GetObjectTagging's and GetBucketTagging's answer."""
    return schema.write(_TAGGING, _ROOT, {"TagSet": pairs(tags)})


def pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as a list of Key and Value."""
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]


def of_pairs(found: Iterable[Mapping[str, Any]], most: int) -> dict[str, str]:
    """Tags from a list of Key and Value. Raises InvalidTag."""
    listed = list(found)
    tags = {pair["Key"]: pair["Value"] for pair in listed}
    if len(tags) < len(listed):
        raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key")
    return valid(tags, most)


def from_header(text: str, most: int = MAX_OBJECT_TAGS) -> dict[str, str]:
    """The tags of an x-amz-tagging header, `key=value&key=value` in URL encoding.

    Raises InvalidArgument for what is no such list or names a tag twice, InvalidTag.
    """
    found: dict[str, str] = {}
    for field in filter(None, text.split("&")):
        raw_key, _, raw_value = field.partition("=")
        try:
            key, value = unquote_plus(raw_key, errors="strict"), unquote_plus(raw_value, errors="strict")
        except UnicodeError:
            key = value = ""
        if not key or key in found or _NOT_ENCODED.search(field):
            raise S3Error(
                "InvalidArgument",
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters "
                "without tag name duplicates.",
                extra={"ArgumentName": "x-amz-tagging", "ArgumentValue": text},
            )
        found[key] = value
    return valid(found, most)


def valid(tags: Mapping[str, object], most: int) -> dict[str, str]:
    """Tags given as a mapping, by the API or a page. Raises InvalidTag."""
    if len(tags) > most:
        raise S3Error("InvalidTag", f"There cannot be more than {most} tags.")
    for key, value in tags.items():
        if not isinstance(value, str) or not isinstance(key, str):
            raise S3Error("InvalidTag", "A tag's key and value are texts.")
        if not 1 <= len(key) <= MAX_KEY or not all(map(_allowed, key)):
            raise S3Error(
                "InvalidTag", "The TagKey you have provided is invalid", extra={"TagKey": key[:MAX_KEY]}
            )
        if len(value) > MAX_VALUE or not all(map(_allowed, value)):
            raise S3Error(
                "InvalidTag",
                "The TagValue you have provided is invalid",
                extra={"TagValue": value[:MAX_VALUE]},
            )
        if key.lower().startswith("aws:"):
            raise S3Error("InvalidTag", "System tags cannot be added/updated by requester")
    return {key: str(value) for key, value in tags.items()}


def _allowed(character: str) -> bool:
    """Letters, digits and spaces of any script, and a few marks."""
    return character in _MARKS or unicodedata.category(character)[0] in "LNZM"
