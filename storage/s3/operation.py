"""What a request asks for: bucket, key and operation, from its method, host, path, query and headers.

Nothing is decoded before it is split: the path is the one on the wire, so `//`, `..`, `%2F` and `+` in a key
mean what the client wrote.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from storage.s3.errors import S3Error

PREFIX: Final = "/s3"
MAX_KEY_BYTES: Final = 1024

_PLAIN: Final = re.compile(r"[!-$&-*,-~]*\Z")  # neither escaped nor a space written as +


class Operation(StrEnum):
    """S3's own names, as its documentation and access logs have them."""

    LIST_BUCKETS = "ListBuckets"
    CREATE_BUCKET = "CreateBucket"
    HEAD_BUCKET = "HeadBucket"
    DELETE_BUCKET = "DeleteBucket"
    GET_BUCKET_LOCATION = "GetBucketLocation"
    GET_BUCKET_VERSIONING = "GetBucketVersioning"
    LIST_OBJECTS = "ListObjects"
    LIST_OBJECTS_V2 = "ListObjectsV2"
    DELETE_OBJECTS = "DeleteObjects"
    LIST_MULTIPART_UPLOADS = "ListMultipartUploads"
    GET_OBJECT = "GetObject"
    HEAD_OBJECT = "HeadObject"
    PUT_OBJECT = "PutObject"
    COPY_OBJECT = "CopyObject"
    DELETE_OBJECT = "DeleteObject"
    CREATE_MULTIPART_UPLOAD = "CreateMultipartUpload"
    UPLOAD_PART = "UploadPart"
    UPLOAD_PART_COPY = "UploadPartCopy"
    COMPLETE_MULTIPART_UPLOAD = "CompleteMultipartUpload"
    ABORT_MULTIPART_UPLOAD = "AbortMultipartUpload"
    LIST_PARTS = "ListParts"


READ: Final = "storage.object.read"
WRITE: Final = "storage.object.write"
DELETE: Final = "storage.object.delete"
BUCKET_READ: Final = "storage.bucket.read"
BUCKET_WRITE: Final = "storage.bucket.write"
BUCKET_DELETE: Final = "storage.bucket.delete"

PERMISSIONS: Final[Mapping[Operation, str]] = {
    Operation.LIST_BUCKETS: BUCKET_READ,
    Operation.CREATE_BUCKET: BUCKET_WRITE,
    Operation.HEAD_BUCKET: BUCKET_READ,
    Operation.DELETE_BUCKET: BUCKET_DELETE,
    Operation.GET_BUCKET_LOCATION: BUCKET_READ,
    Operation.GET_BUCKET_VERSIONING: BUCKET_READ,
    Operation.LIST_OBJECTS: READ,
    Operation.LIST_OBJECTS_V2: READ,
    Operation.DELETE_OBJECTS: DELETE,
    Operation.LIST_MULTIPART_UPLOADS: READ,
    Operation.GET_OBJECT: READ,
    Operation.HEAD_OBJECT: READ,
    Operation.PUT_OBJECT: WRITE,
    Operation.COPY_OBJECT: WRITE,
    Operation.DELETE_OBJECT: DELETE,
    Operation.CREATE_MULTIPART_UPLOAD: WRITE,
    Operation.UPLOAD_PART: WRITE,
    Operation.UPLOAD_PART_COPY: WRITE,
    Operation.COMPLETE_MULTIPART_UPLOAD: WRITE,
    Operation.ABORT_MULTIPART_UPLOAD: WRITE,
    Operation.LIST_PARTS: READ,
}

# Query parameters that turn a request into another one. Any other parameter is ignored, as S3 does.
_SUBRESOURCES: Final = frozenset(
    """
    abac accelerate acl analytics attributes cors delete encryption intelligent-tiering inventory
    legal-hold lifecycle list-type location logging metadataConfiguration metadataTable metrics
    notification object-lock ownershipControls policy policyStatus publicAccessBlock renameObject
    replication requestPayment restore retention select session tagging torrent uploadId uploads
    versioning versions website
    """.split()  # noqa: SIM905 - a list of forty quoted words is no better
)
_SERVICE: Final = {("GET", ""): Operation.LIST_BUCKETS}
_BUCKET: Final = {
    ("GET", ""): Operation.LIST_OBJECTS,
    ("GET", "list-type"): Operation.LIST_OBJECTS_V2,
    ("GET", "location"): Operation.GET_BUCKET_LOCATION,
    ("GET", "uploads"): Operation.LIST_MULTIPART_UPLOADS,
    ("GET", "versioning"): Operation.GET_BUCKET_VERSIONING,
    ("HEAD", ""): Operation.HEAD_BUCKET,
    ("PUT", ""): Operation.CREATE_BUCKET,
    ("DELETE", ""): Operation.DELETE_BUCKET,
    ("POST", "delete"): Operation.DELETE_OBJECTS,
}
_OBJECT: Final = {
    ("GET", ""): Operation.GET_OBJECT,
    ("GET", "uploadId"): Operation.LIST_PARTS,
    ("HEAD", ""): Operation.HEAD_OBJECT,
    ("PUT", ""): Operation.PUT_OBJECT,
    ("PUT", "uploadId"): Operation.UPLOAD_PART,
    ("DELETE", ""): Operation.DELETE_OBJECT,
    ("DELETE", "uploadId"): Operation.ABORT_MULTIPART_UPLOAD,
    ("POST", "uploads"): Operation.CREATE_MULTIPART_UPLOAD,
    ("POST", "uploadId"): Operation.COMPLETE_MULTIPART_UPLOAD,
}
_COPIES: Final = {
    Operation.PUT_OBJECT: Operation.COPY_OBJECT,
    Operation.UPLOAD_PART: Operation.UPLOAD_PART_COPY,
}


class Target(NamedTuple):
    """Where a request points. Both are empty for the service itself; the key is for a bucket's own requests."""

    bucket: str
    key: str


def in_domain(host: str, domain: str) -> bool:
    """Whether a host is S3's own: the domain, or a bucket's subdomain."""
    return host == domain or host.endswith("." + domain)


def has_prefix(raw_path: str) -> bool:
    """Whether a path on any other host is for S3."""
    return raw_path.startswith(PREFIX) and raw_path[len(PREFIX) :][:1] in ("", "/")


def locate(host: str, raw_path: str, domain: str) -> Target:
    """Bucket and key of a request for S3. Raises InvalidURI or KeyTooLongError."""
    if host == domain:
        bucket, _, raw_key = raw_path[1:].partition("/")
    elif host.endswith("." + domain):
        bucket, raw_key = host[: -len(domain) - 1], raw_path[1:]
    else:
        bucket, _, raw_key = raw_path[len(PREFIX) + 1 :].partition("/")
    return Target(_decode(bucket), decode_key(raw_key))


def decode_key(raw_key: str) -> str:
    """A key from its form on the wire. Raises InvalidURI (not UTF-8, or holds NUL) or KeyTooLongError."""
    key = _decode(raw_key)
    if len(key) > MAX_KEY_BYTES // 4 and len(key.encode()) > MAX_KEY_BYTES:
        raise S3Error(
            "KeyTooLongError", extra={"Size": str(len(key.encode())), "MaxSizeAllowed": str(MAX_KEY_BYTES)}
        )
    return key


def _decode(raw: str) -> str:
    if "%" not in raw and raw.isascii():
        return raw
    try:
        text = unquote_to_bytes(raw.encode("latin-1")).decode()
    except UnicodeError:
        raise S3Error("InvalidURI") from None
    if "\0" in text:
        raise S3Error("InvalidURI")
    return text


def parse_query(raw_query: str) -> dict[str, str]:
    """Parameters by name; of one that repeats the first counts. `+` is a space, as S3 reads it.

    Raises InvalidURI for what is not UTF-8 or holds NUL, as a key cannot either.
    """
    if "%00" in raw_query:
        raise S3Error("InvalidURI")
    found: dict[str, str] = {}
    for field in raw_query.split("&") if raw_query else ():
        name, _, value = field.partition("=")
        if not _PLAIN.match(field):
            try:
                name = unquote_to_bytes(name).decode()
                value = unquote_to_bytes(value.replace("+", " ").encode("latin-1")).decode()
            except UnicodeError:
                raise S3Error("InvalidURI") from None
        found.setdefault(name, value)
    return found


def classify(method: str, target: Target, query: Mapping[str, str], headers: Mapping[str, str]) -> Operation:
    """The operation. Raises NotImplemented for what S3 has and this has not, else MethodNotAllowed."""
    if method == "OPTIONS":
        raise S3Error("AccessForbidden")
    asked = [name for name in query if name in _SUBRESOURCES] if query else []
    subresource = asked[0] if asked else ""
    if target.key:
        table = _OBJECT
    elif target.bucket:
        table = _BUCKET
    else:
        table = _SERVICE
    operation = table.get((method, subresource)) if len(asked) < 2 else None
    if operation is None:
        if subresource or (method == "POST" and table is _BUCKET):
            raise S3Error("NotImplemented", extra={"Header": subresource} if subresource else None)
        allowed = sorted(verb for verb, name in table if not name)
        raise S3Error("MethodNotAllowed", extra={"Method": method}, headers={"Allow": ", ".join(allowed)})
    if operation is Operation.LIST_OBJECTS_V2 and query["list-type"] != "2":
        raise S3Error("InvalidArgument", "list-type must be 2")
    if operation in _COPIES and "x-amz-copy-source" in headers:
        operation = _COPIES[operation]
    if operation is Operation.PUT_OBJECT and "partNumber" in query:
        raise S3Error("InvalidArgument", "partNumber needs an uploadId")
    if target.key and query.get("versionId", "null") != "null":
        raise S3Error("NoSuchVersion")
    return operation
