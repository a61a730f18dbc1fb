"""Answers of the S3 front, as the edge is told them."""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import TypeVar

from gateway.decision.types import Answer, Decision, Forward, RequestHead, SendFile
from storage import errors as refusals
from storage.s3.errors import LOCKED, S3Error, document
from storage.s3.target import has_prefix

HOST_ID = "gatehouse"

D = TypeVar("D", bound="Decision | Stream")


@dataclass(slots=True)
class Stream:
    """An answer whose body this process makes piece by piece. `headers` say its length.

    A failure once the first piece is out can only break the connection off, which clients see as such.
    """

    status: int
    headers: list[tuple[str, str]]
    body: AsyncGenerator[bytes, None]


_REFUSALS: tuple[tuple[type[refusals.StorageRefusal], str], ...] = (
    (refusals.StoreFull, "InsufficientStorage"),
    (refusals.BodyTooLarge, "EntityTooLarge"),
    (refusals.BlobMissing, "ServiceUnavailable"),
    (refusals.StoreUnavailable, "ServiceUnavailable"),
    (refusals.BucketGone, "NoSuchBucket"),
    (refusals.QuotaReached, "QuotaExceeded"),
    (refusals.ObjectGone, "NoSuchKey"),
    (refusals.PreconditionFailed, "PreconditionFailed"),
    (refusals.VersionGone, "NoSuchVersion"),
    (refusals.IsDeleteMarker, "MethodNotAllowed"),
    (refusals.UploadGone, "NoSuchUpload"),
    (refusals.InvalidPartOrder, "InvalidPartOrder"),
    (refusals.InvalidPart, "InvalidPart"),
    (refusals.PartTooSmall, "EntityTooSmall"),
)


def translate(refusal: refusals.StorageRefusal) -> S3Error:
    """What the index or the store refused, in S3's words."""
    if isinstance(refusal, refusals.ObjectLocked):
        return S3Error("AccessDenied", LOCKED)
    for kind, code in _REFUSALS:
        if isinstance(refusal, kind):
            return S3Error(code)
    return S3Error("InternalError")


def xml(body: bytes, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """200 with an XML document."""
    return Answer(200, [("Content-Type", "application/xml"), *headers], body)


def empty(status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """An answer without a body."""
    return Answer(status, list(headers))


def refuse(error: S3Error, head: RequestHead) -> Answer:
    """The error as S3 tells it; without a body where HTTP allows none."""
    headers = list(error.headers.items())
    if error.status == 304:
        return Answer(304, headers)
    if error.status == 503 and "Retry-After" not in error.headers:
        headers.append(("Retry-After", "1"))
    body = document(error, head.raw_path, head.request_id, HOST_ID)
    return Answer(error.status, [("Content-Type", "application/xml"), *headers], body)


def stamp(decision: D, head: RequestHead) -> D:
    """The same with the headers that every answer of S3 has."""
    ids = {"x-amz-request-id": head.request_id, "x-amz-id-2": HOST_ID, "X-Content-Type-Options": "nosniff"}
    if has_prefix(head.raw_path):
        # On the platform's own host: a page that somebody uploaded must not act with a visitor's session.
        ids["Content-Security-Policy"] = "sandbox"
    if isinstance(decision, Answer | SendFile | Stream):
        decision.headers = [*decision.headers, *ids.items()]
    elif isinstance(decision, Forward) and decision.commit is None:
        decision.set_response_headers = {**decision.set_response_headers, **ids}
    return decision
