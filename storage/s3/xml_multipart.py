"""Documents of multipart uploads and of copies."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from storage.index.types import PartRow, UploadPage, UploadRow
from storage.s3.checksums import ALGORITHM, SIZES, TYPE
from storage.s3.documents import schema
from storage.s3.documents.schema import Field, Integer, Struct, Text
from storage.s3.errors import S3Error
from storage.s3.text import iso
from storage.s3.xml import (
    MAX_PARTS,
    Encoding,
    Owner,
    checksum_elements,
    common_prefixes,
    document,
    element,
    owner_element,
)

MAX_COMPLETE: Final = 4 * 1024**2

_CHECKSUMS: Final = {name: f"Checksum{name.upper()}" for name in SIZES}
_PART: Final = Struct(
    (
        Field("PartNumber", Integer(), required=True),
        Field("ETag", Text(least=1), required=True),
        *(Field(title, Text()) for title in _CHECKSUMS.values()),
    )
)
_COMPLETE: Final = Struct((Field("Part", _PART, many=True),))


class WantedPart(NamedTuple):
    """A line of CompleteMultipartUpload: `checksums` are algorithm → Base64."""

    number: int
    etag: str
    checksums: Mapping[str, str]


def read_complete(body: bytes) -> list[WantedPart]:
    """The parts of a CompleteMultipartUpload. Raises MalformedXML, or InvalidArgument for a number of no part."""
    if not body:
        raise S3Error("MalformedXML")
    found = schema.read(_COMPLETE, "CompleteMultipartUpload", body, MAX_PARTS * 14)
    lines = found.get("Part", [])
    if not 1 <= len(lines) <= MAX_PARTS:
        raise S3Error("MalformedXML")
    for line in lines:
        if not 1 <= line["PartNumber"] <= MAX_PARTS:
            raise S3Error(
                "InvalidArgument",
                f"PartNumber must be between 1 and {MAX_PARTS}",
                extra={"ArgumentName": "PartNumber", "ArgumentValue": str(line["PartNumber"])},
            )
    return [
        WantedPart(
            line["PartNumber"],
            line["ETag"].strip().strip('"'),
            {name: line[title] for name, title in _CHECKSUMS.items() if line.get(title)},
        )
        for line in lines
    ]


def initiated(bucket: str, key: str, upload_id: str) -> bytes:
    return document(
        "InitiateMultipartUploadResult",
        element("Bucket", bucket) + element("Key", key) + element("UploadId", upload_id),
    )


def completed(location: str, bucket: str, key: str, etag: str, stored: Mapping[str, str]) -> bytes:
    return document(
        "CompleteMultipartUploadResult",
        element("Location", location)
        + element("Bucket", bucket)
        + element("Key", key)
        + element("ETag", f'"{etag}"')
        + checksum_elements(stored),
    )


def copied(root: str, etag: str, last_modified: datetime, stored: Mapping[str, str]) -> bytes:
    """CopyObjectResult or CopyPartResult."""
    return document(
        root,
        element("LastModified", iso(last_modified))
        + element("ETag", f'"{etag}"')
        + checksum_elements(stored, with_type=root == "CopyObjectResult"),
    )


def parts(
    bucket: str,
    upload: UploadRow,
    rows: Sequence[PartRow],
    marker: int,
    max_parts: int,
    following: int | None,
    owner: Owner,
) -> bytes:
    """ListParts' answer."""
    lines = "".join(
        f"<Part>{element('PartNumber', part.number)}{element('LastModified', iso(part.last_modified))}"
        f"<ETag>&quot;{part.etag}&quot;</ETag>{element('Size', part.size)}"
        f"{checksum_elements(part.checksums, with_type=False)}</Part>"
        for part in rows
    )
    return document(
        "ListPartsResult",
        element("Bucket", bucket)
        + element("Key", upload.key)
        + element("UploadId", upload.id)
        + owner_element("Initiator", owner)
        + owner_element("Owner", owner)
        + element("StorageClass", "STANDARD")
        + element("PartNumberMarker", marker)
        + element("NextPartNumberMarker", rows[-1].number if rows else 0)
        + element("MaxParts", max_parts)
        + element("IsTruncated", "false" if following is None else "true")
        + _promised(upload)
        + lines,
    )


def uploads(bucket: str, query: Mapping[str, str], page: UploadPage, max_uploads: int, owner: Owner) -> bytes:
    """ListMultipartUploads' answer."""
    encode = Encoding(query)
    rows = "".join(
        f"<Upload>{element('Key', encode(upload.key))}{element('UploadId', upload.id)}"
        f"{owner_element('Initiator', owner)}{owner_element('Owner', owner)}<StorageClass>STANDARD</StorageClass>"
        f"{element('Initiated', iso(upload.initiated))}{_promised(upload)}</Upload>"
        for upload in page.uploads
    )
    next_key, next_id = page.next or (None, None)
    return document(
        "ListMultipartUploadsResult",
        element("Bucket", bucket)
        + element("KeyMarker", encode(query.get("key-marker", "")))
        + element("UploadIdMarker", query.get("upload-id-marker", ""))
        + element("NextKeyMarker", encode(next_key))
        + element("NextUploadIdMarker", next_id)
        + element("Prefix", encode(query.get("prefix") or None))
        + element("Delimiter", encode(query.get("delimiter") or None))
        + element("EncodingType", encode.name)
        + element("MaxUploads", max_uploads)
        + element("IsTruncated", "true" if page.next else "false")
        + rows
        + common_prefixes(page.common_prefixes, encode),
    )


def _promised(upload: UploadRow) -> str:
    """Which checksum the object will have."""
    algorithm = upload.headers.get(ALGORITHM)
    if algorithm is None:
        return ""
    return element("ChecksumAlgorithm", algorithm.upper()) + element("ChecksumType", upload.headers[TYPE])
