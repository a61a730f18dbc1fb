"""What a read asks of a backend, and what of its answer is the client's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from storage.index import BucketInfo, ObjectRow
from storage.s3 import encryption, expiration, headers, parts, versions
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Request
from storage.s3.sigv4 import canonical_query
from storage.s3.text import uri_encode

from . import wishes

CONDITIONS: Final[tuple[str, ...]] = (
    *("range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"),
)
# What an answer may say to the client: the rest is between the backend and us.
_TOLD: Final = frozenset(
    {"content-type", "content-length", "content-range", "content-encoding", "content-language"}
    | {"content-disposition", "cache-control", "expires", "etag", "last-modified", "accept-ranges"}
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """`sent` are the headers that go to the backend, by lower-case name; `added` go onto its answer."""

    query: str
    sent: dict[str, str] = field(default_factory=dict)
    added: dict[str, str] = field(default_factory=dict)


async def wanted(request: Request, bucket: BucketInfo, front: Front) -> Wanted:
    """How the backend is asked.

    The index is looked at where versions, parts or rules are meant, which it knows better, and for tags by HEAD.
    Raises NoSuchKey, NoSuchVersion, MethodNotAllowed, InvalidPart, NotImplemented.
    """
    backend = await front.backend(bucket)
    encryption.refuse_choice(request.headers)
    asked = versions.asked(request)
    pairs = {name: value for name, value in request.query.items() if name.startswith("response-")}
    headers.override([], request.query)  # refuses what may not be in a header
    sent = {name: request.headers[name] for name in CONDITIONS if name in request.headers}
    sent |= wishes.of_customer(request.headers, backend)
    if backend.checksum_mode == "when_supported" and "x-amz-checksum-mode" in request.headers:
        sent["x-amz-checksum-mode"] = request.headers["x-amz-checksum-mode"]
    added: dict[str, str] = {}
    if bucket.versioning or bucket.lifecycle or asked is not None or "partNumber" in request.query:
        row = await versions.find(front, bucket, request.key, asked)
        if asked is None:
            added |= dict(expiration.header(bucket, row))
        if asked is not None and bucket.versioning:
            pairs["versionId"] = asked
        _count_tags(row, added)
        if "partNumber" in request.query:
            if "range" in sent:
                raise S3Error(
                    "InvalidRequest", "Cannot specify both Range header and partNumber query parameter"
                )
            part = parts.find(row, request.part_number)
            if part.of:
                added["x-amz-mp-parts-count"] = str(part.of)
            if part.span is not None:
                sent["range"] = f"bytes={part.span.first}-{part.span.last}"
    elif request.head.method == "HEAD" and (seen := await front.index.head(bucket, request.key)) is not None:
        _count_tags(seen, added)
    query = canonical_query("&".join(f"{name}={uri_encode(value)}" for name, value in pairs.items()))
    return Wanted(query, sent, added)


def _count_tags(row: ObjectRow, added: dict[str, str]) -> None:
    if row.tags:
        added["x-amz-tagging-count"] = str(len(row.tags))


def described(answered: Mapping[str, str], asked: Wanted) -> list[tuple[str, str]]:
    """The headers of the client's answer."""
    found = [
        (name, value)
        for name, value in answered.items()
        if name.lower() in _TOLD
        or (name.lower().startswith("x-amz-") and name.lower() not in ("x-amz-request-id", "x-amz-id-2"))
    ]
    return [*found, *asked.added.items()]
