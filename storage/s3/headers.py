"""Headers of objects: which of a write's are kept, how a read gives them back, which are refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from storage.index.types import NULL_VERSION, BucketInfo, ObjectRow
from storage.s3 import checksums, lock_headers
from storage.s3.documents import acl, ownership, tags
from storage.s3.errors import S3Error
from storage.s3.text import http_date, is_header

DEFAULT_TYPE: Final = "binary/octet-stream"
META: Final = "x-amz-meta-"
MAX_METADATA: Final = 2048
REDIRECT: Final = "x-amz-website-redirect-location"
TAGGING: Final = "x-amz-tagging"
VERSION: Final = "x-amz-version-id"
DELETE_MARKER: Final = "x-amz-delete-marker"

_KEPT: Final = (
    *("cache-control", "content-disposition", "content-encoding", "content-language", "expires"),
    REDIRECT,
)
_OVERRIDES: Final = {
    "response-content-type": "Content-Type",
    "response-content-language": "Content-Language",
    "response-expires": "Expires",
    "response-cache-control": "Cache-Control",
    "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding",
}
_OF_304: Final = frozenset({"etag", "last-modified", "cache-control", "expires", VERSION})
# A header that asks for something is refused rather than ignored. These values ask for what is so anyway.
_HARMLESS: Final[Mapping[str, frozenset[str]]] = {
    "x-amz-storage-class": frozenset({"", "STANDARD"}),
    "x-amz-mfa": frozenset({""}),
}
_UNSUPPORTED: Final = ("x-amz-rename-source", "x-amz-write-offset-bytes")
# Other providers' own: one of theirs that is a backend could do what they wish, a copy of a stranger's object among it.
_FOREIGN: Final = ("x-goog-", "x-oss-", "x-obs-", "x-cos-", "x-bce-", "x-kss-", "x-minio-source-", "x-rgw-")


@dataclass(frozen=True, slots=True)
class Kept:
    """What of a write's headers stays with the object. `lock` is as ObjectRow has it."""

    content_type: str
    metadata: dict[str, str]
    headers: dict[str, str]
    tags: dict[str, str] = field(default_factory=dict)
    lock: dict[str, Any] = field(default_factory=dict)


def refuse_unsupported(headers: Mapping[str, str]) -> None:
    """Raise for a header whose wish no operation fulfils, in S3's words or another provider's."""
    for name, value in headers.items():
        if not name.startswith("x-amz-"):
            if name.startswith(_FOREIGN):
                raise S3Error("NotImplemented", extra={"Header": name})
            continue
        if name in _HARMLESS:
            if value not in _HARMLESS[name]:
                if name == "x-amz-storage-class":
                    raise S3Error("InvalidStorageClass")
                raise S3Error("NotImplemented", extra={"Header": name})
        elif name.startswith(_UNSUPPORTED):
            raise S3Error("NotImplemented", extra={"Header": name})


def wanted(bucket: BucketInfo, headers: Mapping[str, str]) -> Kept:
    """As `kept`, once what the headers ask for is possible in the bucket: no access but its policy's, locks only
    where it has them. Raises S3Error.
    """
    blocked = bool((bucket.public_access_block or {}).get("BlockPublicAcls"))
    acl.check_headers(headers, public_blocked=blocked, enforced=bucket.ownership == ownership.ENFORCED)
    found = kept(headers)
    if found.lock:
        lock_headers.require(bucket)
    return found


def kept(headers: Mapping[str, str]) -> Kept:
    """What a PUT, CreateMultipartUpload or replacing copy says about the object.

    Names of metadata are in lower case; values are text (the wire has UTF-8). Raises MetadataTooLarge, InvalidTag, or
    InvalidArgument for a value that is not UTF-8 or not what its header may say.
    """
    metadata = {
        name.removeprefix(META): _text(name, value)
        for name, value in headers.items()
        if name.startswith(META)
    }
    size = sum(len(name) + len(value.encode()) for name, value in metadata.items())
    if size > MAX_METADATA:
        raise S3Error("MetadataTooLarge", extra={"Size": str(size), "MaxSizeAllowed": str(MAX_METADATA)})
    system = {name: _text(name, headers[name]) for name in _KEPT if headers.get(name)}
    if "content-encoding" in system:
        left = unchunked(system["content-encoding"])
        if left:
            system["content-encoding"] = left
        else:
            del system["content-encoding"]
    if not system.get(REDIRECT, "/").startswith(("/", "http://", "https://")):
        raise S3Error("InvalidRedirectLocation")
    return Kept(
        _text("content-type", headers.get("content-type", "")) or DEFAULT_TYPE,
        metadata,
        system,
        tags.from_header(headers.get(TAGGING, "")),
        lock_headers.read(headers),
    )


def unchunked(codings: str) -> str:
    """A Content-Encoding without `aws-chunked`, which is of the body's way here and not of the object."""
    if "aws-chunked" not in codings.lower():
        return codings
    each = (coding.strip() for coding in codings.split(","))
    return ", ".join(coding for coding in each if coding and coding.lower() != "aws-chunked")


def answer(row: ObjectRow, *, with_checksum: bool) -> list[tuple[str, str]]:
    """The headers of a GET or HEAD, without those about version, length, range and the request."""
    found = [("ETag", f'"{row.etag}"'), ("Last-Modified", http_date(row.last_modified))]
    found.append(("Content-Type", wire(row.content_type)))
    found += [(name.title(), wire(value)) for name, value in row.headers.items() if name in _KEPT]
    found += [(META + name, wire(value)) for name, value in row.metadata.items()]
    if row.tags:
        found.append(("x-amz-tagging-count", str(len(row.tags))))
    if row.lock:
        found += lock_headers.answer(row.lock)
    if with_checksum:
        found += checksum(row.checksums)
    return found


def version(row: ObjectRow) -> list[tuple[str, str]]:
    """The header that names a version just written; S3 has none while versions are not kept, or suspended."""
    return [] if row.version_id == NULL_VERSION else [(VERSION, row.version_id)]


def not_modified(described: list[tuple[str, str]]) -> dict[str, str]:
    """What of a read's headers a 304 has too (RFC 9110, 15.4.5)."""
    return {name: value for name, value in described if name.lower() in _OF_304}


def checksum(stored: Mapping[str, str], kind: str | None = None) -> list[tuple[str, str]]:
    """The headers of a stored checksum and its type: `kind` where the value, being a part's, does not tell it."""
    found = [(f"x-amz-checksum-{name}", value) for name, value in stored.items()]
    if found:
        found.append(("x-amz-checksum-type", kind or checksums.kind_of(found[0][1])))
    return found


def override(found: list[tuple[str, str]], query: Mapping[str, str]) -> list[tuple[str, str]]:
    """`found` with what the query's response-* parameters say. Raises InvalidArgument."""
    replaced = {header: query[name] for name, header in _OVERRIDES.items() if name in query}
    if not replaced:
        return found
    for value in replaced.values():
        if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
            raise S3Error("InvalidArgument", "A response header may not hold control characters.")
    rest = [(name, value) for name, value in found if name not in replaced]
    return rest + [(name, wire(value)) for name, value in replaced.items()]


def wire(text: str) -> str:
    """Text as a header carries it: its UTF-8 bytes, one character each."""
    return text if text.isascii() else text.encode().decode("latin-1")


def _text(name: str, value: str) -> str:
    if not is_header(name, value):
        raise S3Error("InvalidArgument", "That cannot be a header.", extra={"ArgumentName": name[:100]})
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        raise S3Error(
            "InvalidArgument", "Header values must be UTF-8.", extra={"ArgumentName": name}
        ) from None
