"""Answers of ListObjects, its second version, and ListObjectVersions."""

import re
from collections.abc import Mapping
from typing import Final

from storage.index.types import ListPage, ObjectRow, VersionPage
from storage.s3 import checksums
from storage.s3.text import escape, iso
from storage.s3.xml import Encoding, Owner, common_prefixes, document, element, owner_element

_SAME_DECODED: Final = re.compile(r"[^%+\x00-\x08\x0b-\x1f\ufffe\uffff]*\Z")


def objects_v2(
    bucket: str,
    query: Mapping[str, str],
    page: ListPage,
    max_keys: int,
    next_token: str | None,
    owner: Owner | None,
) -> bytes:
    """ListObjectsV2's answer; with an `owner` each key says whose it is."""
    encode = Encoding(query)
    return document(
        "ListBucketResult",
        element("Name", bucket)
        + element("Prefix", encode(query.get("prefix", "")))
        + element("StartAfter", encode(query.get("start-after")))
        + element("ContinuationToken", query.get("continuation-token"))
        + element("NextContinuationToken", next_token)
        + element("KeyCount", len(page.contents) + len(page.common_prefixes))
        + element("MaxKeys", max_keys)
        + element("Delimiter", encode(query.get("delimiter") or None))
        + element("EncodingType", encode.name)
        + element("IsTruncated", "true" if next_token else "false")
        + _contents(page, encode, owner),
    )


def objects(
    bucket: str,
    query: Mapping[str, str],
    page: ListPage,
    max_keys: int,
    next_marker: str | None,
    owner: Owner,
) -> bytes:
    """ListObjects' answer."""
    encode = Encoding(query)
    return document(
        "ListBucketResult",
        element("Name", bucket)
        + element("Prefix", _prefix(query, encode))
        + element("Marker", encode(query.get("marker", "")))
        + element("NextMarker", encode(next_marker))
        + element("MaxKeys", max_keys)
        + element("Delimiter", encode(query.get("delimiter") or None))
        + element("EncodingType", encode.name)
        + element("IsTruncated", "true" if page.next is not None else "false")
        + _contents(page, encode, owner),
    )


def versions(bucket: str, query: Mapping[str, str], page: VersionPage, max_keys: int, owner: Owner) -> bytes:
    """ListObjectVersions' answer."""
    encode = Encoding(query)
    next_key, next_version = page.next or (None, None)
    return document(
        "ListVersionsResult",
        element("Name", bucket)
        + element("Prefix", encode(query.get("prefix", "")))
        + element("KeyMarker", encode(query.get("key-marker", "")))
        + element("VersionIdMarker", query.get("version-id-marker", ""))
        + element("NextKeyMarker", encode(next_key))
        + element("NextVersionIdMarker", next_version or None)
        + element("MaxKeys", max_keys)
        + element("Delimiter", encode(query.get("delimiter") or None))
        + element("EncodingType", encode.name)
        + element("IsTruncated", "false" if page.next is None else "true")
        + "".join(_version(row, encode, owner) for row in page.versions)
        + common_prefixes(page.common_prefixes, encode),
    )


def _prefix(query: Mapping[str, str], encode: Encoding) -> str | None:
    """The prefix asked for, plain where decoding changes nothing: botocore decodes all of this list but that."""
    prefix = query.get("prefix", "")
    return prefix if _SAME_DECODED.match(prefix) else encode(prefix)


def _contents(page: ListPage, encode: Encoding, owner: Owner | None) -> str:
    end = f"{owner_element('Owner', owner) if owner else ''}<StorageClass>STANDARD</StorageClass></Contents>"
    rows = [
        f"<Contents><Key>{escape(encode(key) or '')}</Key><LastModified>{iso(at)}</LastModified>"
        f"<ETag>&quot;{etag}&quot;</ETag>{_checksum(stored) if stored else ''}<Size>{size}</Size>{end}"
        for key, size, etag, at, stored in page.contents
    ]
    return "".join(rows) + common_prefixes(page.common_prefixes, encode)


def _version(row: ObjectRow, encode: Encoding, owner: Owner) -> str:
    which = (
        f"{element('Key', encode(row.key))}{element('VersionId', row.version_id)}"
        f"<IsLatest>{'true' if row.is_latest else 'false'}</IsLatest>"
        f"<LastModified>{iso(row.last_modified)}</LastModified>{owner_element('Owner', owner)}"
    )
    if row.is_delete_marker:
        return f"<DeleteMarker>{which}</DeleteMarker>"
    return (
        f"<Version>{which}<ETag>&quot;{row.etag}&quot;</ETag>{_checksum(row.checksums) if row.checksums else ''}"
        f"<Size>{row.size}</Size><StorageClass>STANDARD</StorageClass></Version>"
    )


def _checksum(stored: Mapping[str, str]) -> str:
    """What checksums an object has, and whether of the whole: a list does not give their values."""
    named = "".join(f"<ChecksumAlgorithm>{name.upper()}</ChecksumAlgorithm>" for name in stored)
    return f"{named}<ChecksumType>{checksums.kind_of(next(iter(stored.values())))}</ChecksumType>"
