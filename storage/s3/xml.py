"""S3's XML documents: the answers, built as text, and the few request bodies, read strictly."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from storage.index.types import BucketInfo, ListPage, PartRow, UploadPage
from storage.s3 import checksums
from storage.s3.errors import S3Error
from storage.s3.text import escape, iso, uri_encode

NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
MAX_COMPLETE: Final = 4 * 1024**2
MAX_DELETE: Final = 8 * 1024**2
MAX_KEYS: Final = 1000
MAX_PARTS: Final = 10000

_CONDITIONS: Final = {"ETag", "LastModifiedTime", "Size"}
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Owner(NamedTuple):
    """Whose the objects are: the tenant."""

    id: str
    name: str


class WantedPart(NamedTuple):
    """A line of CompleteMultipartUpload: `checksums` are algorithm → Base64."""

    number: int
    etag: str
    checksums: Mapping[str, str]


class Deletion(NamedTuple):
    """A DeleteObjects request."""

    keys: list[str]
    quiet: bool


class Outcome(NamedTuple):
    """What became of one key of a DeleteObjects request; `error` is None when it is gone."""

    key: str
    error: S3Error | None


def element(name: str, text: str | int | None) -> str:
    """`<name>text</name>`; empty when there is no text to say."""
    return "" if text is None else f"<{name}>{escape(str(text))}</{name}>"


def _document(root: str, content: str) -> bytes:
    return f'{_HEAD}<{root} xmlns="{NAMESPACE}">{content}</{root}>'.encode()


def _owner(name: str, owner: Owner) -> str:
    return f"<{name}>{element('ID', owner.id)}{element('DisplayName', owner.name)}</{name}>"


class Encoding:
    """Keys as a list answers them: plain, or percent-encoded if the client asked for `encoding-type=url`."""

    def __init__(self, query: Mapping[str, str]) -> None:
        """Raises InvalidArgument for any other encoding."""
        self.name = query.get("encoding-type") or None
        if self.name not in (None, "url"):
            raise S3Error(
                "InvalidArgument",
                "Invalid Encoding Method specified in Request",
                extra={"ArgumentName": "encoding-type", "ArgumentValue": self.name},
            )

    def __call__(self, text: str | None) -> str | None:
        return uri_encode(text, "/") if text and self.name else text


def list_buckets(buckets: Iterable[BucketInfo], owner: Owner) -> bytes:
    rows = "".join(
        f"<Bucket>{element('Name', bucket.name)}{element('CreationDate', iso(bucket.created_at))}</Bucket>"
        for bucket in buckets
    )
    return _document("ListAllMyBucketsResult", f"{_owner('Owner', owner)}<Buckets>{rows}</Buckets>")


def location() -> bytes:
    """GetBucketLocation: empty means us-east-1, which every client accepts; any region may sign."""
    return _document("LocationConstraint", "")


def versioning() -> bytes:
    """GetBucketVersioning of a bucket that never had it."""
    return _document("VersioningConfiguration", "")


def _contents(page: ListPage, encode: Encoding, owner: Owner | None) -> str:
    whose = _owner("Owner", owner) if owner else ""
    rows = [
        f"<Contents>{element('Key', encode(row.key))}<LastModified>{iso(row.last_modified)}</LastModified>"
        f"<ETag>&quot;{row.etag}&quot;</ETag><Size>{row.size}</Size>{whose}"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for row in page.contents
    ]
    return "".join(rows) + _prefixes(page.common_prefixes, encode)


def _prefixes(prefixes: Iterable[str], encode: Encoding) -> str:
    return "".join(
        f"<CommonPrefixes>{element('Prefix', encode(prefix))}</CommonPrefixes>" for prefix in prefixes
    )


def list_objects_v2(
    bucket: str,
    query: Mapping[str, str],
    page: ListPage,
    max_keys: int,
    next_token: str | None,
    owner: Owner | None,
) -> bytes:
    encode = Encoding(query)
    return _document(
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


def list_objects(
    bucket: str,
    query: Mapping[str, str],
    page: ListPage,
    max_keys: int,
    next_marker: str | None,
    owner: Owner,
) -> bytes:
    encode = Encoding(query)
    return _document(
        "ListBucketResult",
        element("Name", bucket)
        + element("Prefix", encode(query.get("prefix", "")))
        + element("Marker", encode(query.get("marker", "")))
        + element("NextMarker", encode(next_marker))
        + element("MaxKeys", max_keys)
        + element("Delimiter", encode(query.get("delimiter") or None))
        + element("EncodingType", encode.name)
        + element("IsTruncated", "true" if page.next is not None else "false")
        + _contents(page, encode, owner),
    )


def initiate(bucket: str, key: str, upload_id: str) -> bytes:
    return _document(
        "InitiateMultipartUploadResult",
        element("Bucket", bucket) + element("Key", key) + element("UploadId", upload_id),
    )


def complete(location: str, bucket: str, key: str, etag: str, stored: Mapping[str, str]) -> bytes:
    return _document(
        "CompleteMultipartUploadResult",
        element("Location", location)
        + element("Bucket", bucket)
        + element("Key", key)
        + element("ETag", f'"{etag}"')
        + checksum_elements(stored),
    )


def copied(root: str, etag: str, last_modified: datetime, stored: Mapping[str, str]) -> bytes:
    """CopyObjectResult or CopyPartResult."""
    return _document(
        root,
        element("LastModified", iso(last_modified))
        + element("ETag", f'"{etag}"')
        + checksum_elements(stored),
    )


def checksum_elements(stored: Mapping[str, str], *, with_type: bool = True) -> str:
    """`<ChecksumCRC32>…` and the type, for what is stored."""
    found = "".join(element(f"Checksum{name.upper()}", value) for name, value in stored.items())
    if found and with_type:
        found += element("ChecksumType", checksums.kind_of(next(iter(stored.values()))))
    return found


def list_parts(
    bucket: str,
    key: str,
    upload_id: str,
    parts: Sequence[PartRow],
    marker: int,
    max_parts: int,
    following: int | None,
    owner: Owner,
) -> bytes:
    rows = "".join(
        f"<Part>{element('PartNumber', part.number)}{element('LastModified', iso(part.last_modified))}"
        f"<ETag>&quot;{part.etag}&quot;</ETag>{element('Size', part.size)}"
        f"{checksum_elements(part.checksums, with_type=False)}</Part>"
        for part in parts
    )
    return _document(
        "ListPartsResult",
        element("Bucket", bucket)
        + element("Key", key)
        + element("UploadId", upload_id)
        + _owner("Initiator", owner)
        + _owner("Owner", owner)
        + element("StorageClass", "STANDARD")
        + element("PartNumberMarker", marker)
        + element("NextPartNumberMarker", following)
        + element("MaxParts", max_parts)
        + element("IsTruncated", "false" if following is None else "true")
        + rows,
    )


def list_uploads(
    bucket: str, query: Mapping[str, str], page: UploadPage, max_uploads: int, owner: Owner
) -> bytes:
    encode = Encoding(query)
    rows = "".join(
        f"<Upload>{element('Key', encode(upload.key))}{element('UploadId', upload.id)}"
        f"{_owner('Initiator', owner)}{_owner('Owner', owner)}<StorageClass>STANDARD</StorageClass>"
        f"{element('Initiated', iso(upload.initiated))}</Upload>"
        for upload in page.uploads
    )
    next_key, next_id = page.next or (None, None)
    return _document(
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
        + _prefixes(page.common_prefixes, encode),
    )


def deleted(outcomes: Iterable[Outcome], *, quiet: bool) -> bytes:
    """DeleteObjects' answer: what failed, and unless quiet what is gone."""
    rows = []
    for key, error in outcomes:
        if error is not None:
            rows.append(
                f"<Error>{element('Key', key)}{element('Code', error.code)}"
                f"{element('Message', error.message)}</Error>"
            )
        elif not quiet:
            rows.append(f"<Deleted>{element('Key', key)}</Deleted>")
    return _document("DeleteResult", "".join(rows))


def read_complete(body: bytes) -> list[WantedPart]:
    """The parts of a CompleteMultipartUpload. Raises MalformedXML."""
    parts = []
    for child in _children(_parse(body, "CompleteMultipartUpload"), "Part"):
        fields = {_local(field): (field.text or "").strip() for field in child}
        number, etag = fields.get("PartNumber", ""), fields.get("ETag", "").strip('"')
        if not (number.isascii() and number.isdigit()) or not 1 <= int(number[:6]) <= MAX_PARTS or not etag:
            raise S3Error("MalformedXML")
        given = {
            name.removeprefix("Checksum").lower(): value
            for name, value in fields.items()
            if name.startswith("Checksum") and value
        }
        parts.append(WantedPart(int(number), etag, given))
    if not 1 <= len(parts) <= MAX_PARTS:
        raise S3Error("MalformedXML")
    return parts


def read_delete(body: bytes) -> Deletion:
    """The keys of a DeleteObjects. Raises MalformedXML, or NotImplemented for versions and conditions."""
    root = _parse(body, "Delete")
    keys = []
    for child in _children(root, "Object"):
        fields = {_local(field): field.text or "" for field in child}
        if not fields.get("Key"):
            raise S3Error("MalformedXML")
        if fields.get("VersionId", "null") not in ("null", "") or fields.keys() & {
            "ETag",
            "LastModifiedTime",
            "Size",
        }:
            raise S3Error("NotImplemented", "Versions and conditions in DeleteObjects are not implemented.")
        keys.append(fields["Key"])
    if not 1 <= len(keys) <= MAX_KEYS:
        raise S3Error("MalformedXML")
    quiet = [child for child in root if _local(child) == "Quiet"]
    return Deletion(keys, bool(quiet) and (quiet[0].text or "").strip().lower() == "true")


def check_create_bucket(body: bytes) -> None:
    """Any LocationConstraint will do: the backend decides where a bucket stands. Raises MalformedXML."""
    if body.strip():
        _parse(body, "CreateBucketConfiguration")


def _parse(body: bytes, root_name: str) -> Element:
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise S3Error("MalformedXML") from None
    if _local(root) != root_name:
        raise S3Error("MalformedXML")
    return root


def _children(root: Element, name: str) -> list[Element]:
    return [child for child in root if _local(child) == name]


def _local(found: Element) -> str:
    """An element's name without its namespace, which some clients leave out."""
    return found.tag.rpartition("}")[2] if isinstance(found.tag, str) else ""
