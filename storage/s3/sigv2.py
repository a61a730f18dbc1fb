"""AWS Signature Version 2: HMAC-SHA1, which boto3 still presigns with where it is not told otherwise.

It signs the method, Content-MD5, Content-Type, a date (or the second it expires), every `x-amz-*` header and the
resource: bucket, path and those query parameters that name a sub-resource. It signs neither the host nor any other
header or parameter. So here

* every parameter that chooses the operation, the version or part, or the answer's headers counts as signed: none
  can be added to somebody's URL, though old signers do not know the newest of them and are refused there;
* a presigned URL's `x-amz-*` parameters count as headers, as its signer made them of headers, and are signed so;
* what a list is filtered by is not signed: a URL that lists, lists the whole bucket.

Follows "Signing and authenticating REST requests (AWS signature version 2)" of the S3 user guide.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from storage.s3 import clock
from storage.s3.errors import S3Error
from storage.s3.operation import SUBRESOURCES
from storage.s3.sigv4 import UNSIGNED
from storage.s3.target import PREFIX, in_domain, parse_query
from storage.s3.text import is_header

QUERY_CLAIM: Final = ("AWSAccessKeyId", "Expires", "Signature")
_MAX_SECONDS: Final = 253_402_300_799  # the last of the year 9999
_SIGNED: Final = SUBRESOURCES - {"list-type"} | {
    "defaultObjectAcl",
    "partNumber",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "select-type",
    "storageClass",
    "versionId",
}


class Claim(NamedTuple):
    """What a request says about who signed it. Nothing of it is proven yet."""

    access_key_id: str
    signature: bytes
    resources: tuple[str, ...]  # that may have been signed
    date: str  # the line of the string to sign: a Date header, or the seconds since 1970 when it expires
    payload_hash: str  # as `x-amz-content-sha256` says it, which is signed like any x-amz-* header
    presigned: bool
    security_token: str = ""


def in_query(raw_query: str) -> bool:
    """Whether the query holds (part of) a claim of this version."""
    if "AWSAccessKeyId" not in raw_query and "Signature" not in raw_query:
        return False
    return any(field.partition("=")[0] in ("AWSAccessKeyId", "Signature") for field in raw_query.split("&"))


def from_header(
    headers: Mapping[str, str], authorization: str, now: datetime, resources: tuple[str, ...]
) -> Claim:
    """The claim of `Authorization: AWS id:signature`. Raises S3Error."""
    access_key_id, colon, signature = authorization.strip().partition(" ")[2].strip().partition(":")
    if not (access_key_id and colon and signature):
        raise S3Error(
            "InvalidArgument",
            "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
            extra={"ArgumentName": "Authorization"},
        )
    shown = headers.get("x-amz-date")
    if shown is None:
        shown = headers.get("date", "")
    clock.check(clock.date_of(shown), now, shown)
    date = "" if "x-amz-date" in headers else shown
    return _claim(access_key_id, signature, resources, date, headers, presigned=False)


def from_query(
    headers: Mapping[str, str], raw_query: str, now: datetime, resources: tuple[str, ...]
) -> Claim:
    """The claim of a presigned URL. Raises AccessDenied."""
    fields: dict[str, str] = {}
    for field in raw_query.split("&"):
        name, _, value = field.partition("=")
        if name in QUERY_CLAIM:
            if name in fields:
                raise S3Error("AccessDenied", f"Query-string authentication allows {name} only once")
            fields[name] = unquote_to_bytes(value.replace("+", " ")).decode("utf-8", "replace")
    if len(fields) < len(QUERY_CLAIM):
        raise S3Error(
            "AccessDenied",
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
        )
    expires = fields["Expires"]
    if not (expires.isascii() and expires.isdigit()) or len(expires) > 12 or int(expires) > _MAX_SECONDS:
        raise S3Error("AccessDenied", f"Invalid date (should be seconds since epoch): {expires}")
    ends = datetime.fromtimestamp(int(expires), UTC)
    if now > ends:
        raise S3Error(
            "AccessDenied",
            "Request has expired",
            extra={"Expires": clock.iso(ends), "ServerTime": clock.iso(now)},
        )
    # An unescaped + of Base64 reads as a space.
    signature = fields["Signature"].replace(" ", "+")
    signed = headers_of(headers, parse_query(raw_query))
    return _claim(fields["AWSAccessKeyId"], signature, resources, expires, signed, presigned=True)


def headers_of(headers: Mapping[str, str], query: Mapping[str, str]) -> dict[str, str]:
    """The headers of a presigned request with the x-amz-* that its signer moved into the query.

    Raises InvalidArgument for what cannot be a header: it would become lines of somebody's answer.
    """
    moved = {
        name.lower(): value.encode().decode("latin-1")
        for name, value in query.items()
        if name[:6].lower() == "x-amz-"
    }
    for name, value in moved.items():
        if not is_header(name, value):
            raise S3Error(
                "InvalidArgument", "A parameter cannot be a header.", extra={"ArgumentName": name[:100]}
            )
    return {**moved, **headers}


def prove(claim: Claim, secret: str, method: str, raw_query: str, headers: Mapping[str, str]) -> None:
    """Return when `secret` signed exactly this request. Raises SignatureDoesNotMatch."""
    if claim.presigned:
        headers = headers_of(headers, parse_query(raw_query))
    start = _start(claim, method, headers)
    rest = _subresources(raw_query)
    for resource in claim.resources:
        # A client may send `(` and sign `%28`, and a bucket's own address ends with a slash or not.
        encoded = quote(unquote_to_bytes(resource.encode("latin-1", "replace")), safe="/-._~")
        for path in {resource, encoded}:
            alone = path.count("/") == 1 and len(path) > 1
            for spelled in (path, path + "/") if alone else (path,):
                signed = (start + spelled + rest).encode("latin-1", "replace")
                if hmac.compare_digest(hmac.digest(secret.encode(), signed, "sha1"), claim.signature):
                    return
    raise S3Error("SignatureDoesNotMatch", extra={"AWSAccessKeyId": claim.access_key_id})


def resources_of(host: str, raw_path: str, domain: str) -> tuple[str, ...]:
    """`/bucket/key` of a request, however it is addressed: as on the wire, not decoded.

    Below `/s3` some signers take the whole path. It is nobody else's resource: no bucket can have the name `s3`.
    """
    if host == domain:
        return (raw_path,)
    if in_domain(host, domain):
        return (f"/{host[: -len(domain) - 1]}{raw_path}",)
    return (raw_path[len(PREFIX) :] or "/", raw_path)


def sign(secret: str, text: str) -> bytes:
    """HMAC-SHA1, as POST forms sign their policy with."""
    return hmac.digest(secret.encode(), text.encode(), "sha1")


def decoded(signature: str) -> bytes:
    """A signature's bytes; none that could match where it is not Base64."""
    try:
        return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _claim(
    access_key_id: str,
    signature: str,
    resources: tuple[str, ...],
    date: str,
    headers: Mapping[str, str],
    *,
    presigned: bool,
) -> Claim:
    return Claim(
        access_key_id,
        decoded(signature),
        resources,
        date,
        headers.get("x-amz-content-sha256", UNSIGNED),
        presigned,
        headers.get("x-amz-security-token", ""),
    )


def _start(claim: Claim, method: str, headers: Mapping[str, str]) -> str:
    amz = "".join(
        f"{name}:{headers[name].strip()}\n" for name in sorted(headers) if name.startswith("x-amz-")
    )
    standard = (headers.get(name, "").strip() for name in ("content-md5", "content-type"))
    return "\n".join((method, *standard, claim.date)) + "\n" + amz


def _subresources(raw_query: str) -> str:
    """The signed parameters in order of their names, as the request means them: decoded."""
    found: list[tuple[str, str]] = []
    for field in raw_query.split("&") if raw_query else ():
        [(name, value)] = parse_query(field).items() if field else [("", "")]
        if name in _SIGNED:
            text = value.encode().decode("latin-1")
            found.append((name, f"{name}={text}" if "=" in field else name))
    found.sort(key=lambda pair: pair[0])
    return "?" + "&".join(text for _, text in found) if found else ""
