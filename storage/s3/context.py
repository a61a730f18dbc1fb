"""What a request tells the conditions of policies: the values of condition keys, made when one is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from storage.policy import keys
from storage.s3 import clock, sigv4
from storage.s3.documents import tags
from storage.s3.errors import S3Error

if TYPE_CHECKING:
    from storage.index import BucketInfo
    from storage.s3.request import Request

_OF_QUERY: Final = {
    "s3:prefix": "prefix",
    "s3:delimiter": "delimiter",
    "s3:max-keys": "max-keys",
    "s3:versionid": "versionId",
}
_OF_HEADER: Final = {
    "aws:useragent": "user-agent",
    "aws:referer": "referer",
    "s3:if-match": "if-match",
    "s3:if-none-match": "if-none-match",
    "s3:object-lock-mode": "x-amz-object-lock-mode",
    "s3:object-lock-retain-until-date": "x-amz-object-lock-retain-until-date",
    "s3:object-lock-legal-hold": "x-amz-object-lock-legal-hold",
}
_LONGEST: Final = 2048
_COPY_SOURCE: Final = "s3:x-amz-copy-source"
_PAYLOAD: Final = "s3:x-amz-content-sha256"


@dataclass(slots=True)
class Context:
    """The values of one request, as it asks for one action.

    `existing` are the tags that the object has, where a policy asks for them. `overrides` are values, by normal key,
    that differ from what the request's head says: of one key of many, or of what a body says.
    """

    request: Request
    bucket: BucketInfo | None = None
    existing: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, Sequence[str] | None] = field(default_factory=dict)
    asked_tags: Mapping[str, str] | None = None  # of a body; None: the header's

    def __call__(self, key: str) -> Sequence[str] | None:
        """The values of a condition key as `keys.normal` has it, None where the request has none.

        Raises InvalidArgument for one that is too long to be compared with all that a policy may say of it.
        """
        found = self._values(key)
        if found is not None and any(len(value) > _LONGEST for value in found):
            raise S3Error("InvalidArgument", f"What the request says as {key[:50]} is too long.")
        return found

    def _values(self, key: str) -> Sequence[str] | None:
        if key in self.overrides:
            return self.overrides[key]
        if key.startswith(keys.EXISTING_TAG):
            value = self.existing.get(key[len(keys.EXISTING_TAG) :])
        elif key.startswith(keys.REQUEST_TAG):
            value = self._request_tags().get(key[len(keys.REQUEST_TAG) :])
        elif key == "s3:requestobjecttagkeys":
            return list(self._request_tags()) or None
        elif key == _COPY_SOURCE:
            return _copy_source(self.request.headers)
        elif key == _PAYLOAD and isinstance(self.request.claim, sigv4.Claim):
            value = self.request.claim.payload_hash  # a presigned URL's is unsigned without saying so
        elif key in _OF_QUERY:
            value = self.request.query.get(_OF_QUERY[key])
        elif key in _OF_HEADER:
            value = self.request.headers.get(_OF_HEADER[key])
        elif key.startswith("s3:x-amz-"):
            value = self.request.headers.get(key[3:])
        else:
            value = self._other(key)
        return None if value is None else (value,)

    def _other(self, key: str) -> str | None:
        request, caller = self.request, self.request.access.caller
        match key:
            case "aws:sourceip":
                return request.head.client_ip or None
            case "aws:securetransport":
                return "true" if request.head.scheme == "https" else "false"
            case "aws:currenttime":
                return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            case "aws:epochtime":
                return str(int(datetime.now(UTC).timestamp()))
            case "aws:username":
                return caller.user or None
            case "aws:userid":
                return caller.user_id or None
            case "aws:principalarn":
                return caller.arn or None
            case "aws:principalaccount":
                return caller.account or None
            case "aws:principaltype":
                return "User" if caller.account else "Anonymous"
            case "aws:tokenissuetime":
                issued = request.access.issued_at
                return issued.strftime("%Y-%m-%dT%H:%M:%SZ") if issued else None
            case "aws:requestedregion" | "s3:locationconstraint":
                return "us-east-1"
            case "aws:resourceaccount" | "s3:resourceaccount":
                return self.bucket.owner if self.bucket else None
            case "s3:objectcreationoperation":
                return _CREATES.get(request.operation.name)
            case "s3:object-lock-remaining-retention-days":
                return _remaining_days(request.headers.get("x-amz-object-lock-retain-until-date"))
            case "s3:signatureversion" | "s3:signatureage" | "s3:authtype":
                return _of_signature(request, key)
        return None

    def _request_tags(self) -> Mapping[str, str]:
        if self.asked_tags is not None:
            return self.asked_tags
        text = self.request.headers.get("x-amz-tagging", "")
        return tags.from_header(text)


# s3:ObjectCreationOperation: what makes the object, and of an upload what comes before and takes no condition.
_CREATES: Final = {
    **dict.fromkeys(("PUT_OBJECT", "COPY_OBJECT", "POST_OBJECT", "COMPLETE_MULTIPART_UPLOAD"), "true"),
    **dict.fromkeys(("CREATE_MULTIPART_UPLOAD", "UPLOAD_PART", "UPLOAD_PART_COPY"), "false"),
}


def _copy_source(headers: Mapping[str, str]) -> Sequence[str] | None:
    """Bucket and key as the copy reads them, with and without the slash before: policies are written either way."""
    given = headers.get("x-amz-copy-source")
    if given is None:
        return None
    raw = given.partition("?versionId=")[0].removeprefix("/")
    source = unquote_to_bytes(raw.encode("latin-1", "replace")).decode(errors="replace")
    if "/" not in raw:  # the slashes are encoded too, one before the bucket perhaps
        source = source.removeprefix("/")
    return (source, f"/{source}")


def _remaining_days(until: str | None) -> str | None:
    if not until:
        return None
    try:
        end = datetime.fromisoformat(until)
        return remaining_days(end if end.tzinfo else end.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def remaining_days(until: datetime) -> str:
    """Days begun until then, as S3 counts them."""
    return str(max(0, -(-(until - datetime.now(UTC)) // timedelta(days=1))))


def _of_signature(request: Request, key: str) -> str | None:
    claim = request.claim
    if claim is None:
        return "POST" if request.operation.name == "POST_OBJECT" and key == "s3:authtype" else None
    if key == "s3:authtype":
        return "REST-QUERY-STRING" if claim.presigned else "REST-HEADER"
    if not isinstance(claim, sigv4.Claim):
        return "AWS" if key == "s3:signatureversion" else None
    if key == "s3:signatureversion":
        return sigv4.ALGORITHM
    age = datetime.now(UTC) - clock.moment(claim.timestamp)
    return str(max(0, int(age / timedelta(milliseconds=1))))
