"""Reading what a request claims by AWS Signature Version 4, from its Authorization header or its query.

Forms and times are checked here; whether the claim is true, `sigv4.prove` finds out. The errors are S3's own:
AuthorizationHeaderMalformed, AuthorizationQueryParametersError, AccessDenied, RequestTimeTooSkewed.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from storage.s3 import clock
from storage.s3.errors import S3Error
from storage.s3.sigv4 import ALGORITHM, QUERY_CLAIM, UNSIGNED, Claim

ASYMMETRIC: Final = "AWS4-ECDSA-P256-SHA256"
MAX_EXPIRES: Final = 7 * 24 * 3600

_DATE: Final = re.compile(r"\d{8}\Z", re.ASCII)
_HEX_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_SIGNED_NAME: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+\Z")
_COMPONENTS: Final = ("Credential", "SignedHeaders", "Signature")
_MAX_CREDENTIAL: Final = 512
_USUAL_NAMES: Final = 2048  # characters of all signed headers' names
_PAYLOAD, _TOKEN = "X-Amz-Content-Sha256", "X-Amz-Security-Token"


def in_query(raw_query: str) -> bool:
    """Whether the query holds (part of) a claim of this version."""
    return "X-Amz-" in raw_query and any(
        field.partition("=")[0] in QUERY_CLAIM for field in raw_query.split("&")
    )


def from_header(
    headers: Mapping[str, str], authorization: str, now: datetime, *, service: str = "s3"
) -> Claim:
    """The claim of an Authorization header for `service`. Raises S3Error."""
    parts = [part.strip() for part in authorization.strip().partition(" ")[2].split(",")]
    if len(parts) != 3:
        raise _malformed(
            "the authorization header requires three components: Credential, SignedHeaders, and Signature."
        )
    fields = dict(map(_component, parts))
    for name in _COMPONENTS:
        if name not in fields:
            raise _malformed(f"missing {name}.")
    payload_hash = headers.get("x-amz-content-sha256")
    if payload_hash is None:
        raise S3Error("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    timestamp = headers.get("x-amz-date")
    if timestamp is None:
        timestamp = clock.date_of(headers.get("date", "")).strftime("%Y%m%dT%H%M%SZ")
    signed_at = clock.moment(timestamp)
    claim = _claim(
        _malformed, fields, timestamp, payload_hash, service, headers.get("x-amz-security-token", "")
    )
    clock.check(signed_at, now, timestamp)
    return claim


def from_query(headers: Mapping[str, str], raw_query: str, now: datetime) -> Claim:
    """The claim of a presigned URL. Raises S3Error."""
    fields: dict[str, str] = {}
    for field in raw_query.split("&"):
        name, _, value = field.partition("=")
        if name not in QUERY_CLAIM and name not in (_PAYLOAD, _TOKEN):
            continue
        if name in fields:
            raise _query_error(f"Query-string authentication allows {name} only once")
        fields[name] = unquote_to_bytes(value).decode("utf-8", "replace") if "%" in value else value
    algorithm = fields.get("X-Amz-Algorithm")
    if algorithm == ASYMMETRIC:
        raise S3Error("NotImplemented", f"X-Amz-Algorithm only supports {ALGORITHM}")
    if QUERY_CLAIM - fields.keys():
        raise _query_error(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
            "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    if algorithm != ALGORITHM:
        raise _query_error(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    payload_hash = _agreed(_PAYLOAD, fields, headers)
    timestamp = fields["X-Amz-Date"]
    if not clock.is_timestamp(timestamp):
        raise _query_error("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    named = {name: fields[f"X-Amz-{name}"] for name in _COMPONENTS}
    claim = _claim(
        _query_error,
        named,
        timestamp,
        payload_hash or UNSIGNED,
        "s3",
        _agreed(_TOKEN, fields, headers),
        presigned=True,
    )
    seconds = _seconds(fields["X-Amz-Expires"])
    signed_at = clock.moment(timestamp)
    if signed_at - now > timedelta(seconds=clock.MAX_SKEW):
        raise S3Error("AccessDenied", "Request is not yet valid")
    ends = signed_at + timedelta(seconds=seconds)
    if now > ends or not seconds:
        raise S3Error(
            "AccessDenied",
            "Request has expired",
            extra={
                "X-Amz-Expires": str(seconds),
                "Expires": clock.iso(ends),
                "ServerTime": clock.iso(now),
            },
        )
    return claim


def _seconds(text: str) -> int:
    """How long a presigned URL works."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise _query_error("X-Amz-Expires should be a number")
    if text != digits:
        # Over before it began, which suites of the field want told as over.
        raise S3Error("AccessDenied", "X-Amz-Expires must be non-negative")
    if len(digits) > 9 or int(digits) > MAX_EXPIRES:
        raise _query_error(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            f"{MAX_EXPIRES} seconds"
        )
    return int(digits)


def _agreed(parameter: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """What a parameter or the header of its name says; "" for neither. Raises InvalidRequest when they differ."""
    given, sent = fields.get(parameter), headers.get(parameter.lower())
    if given is not None and sent is not None and given != sent:
        raise S3Error("InvalidRequest", f"{parameter} stands in the query and in a header, and differs")
    return given or sent or ""


def _component(part: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    if not equals or not value:
        raise _malformed(f'the authorization component "{part}" is malformed.')
    return name, value


def _malformed(message: str) -> S3Error:
    return S3Error("AuthorizationHeaderMalformed", f"The authorization header is malformed; {message}")


def _query_error(message: str) -> S3Error:
    return S3Error("AuthorizationQueryParametersError", message)


def _claim(
    refused: Callable[[str], S3Error],
    fields: Mapping[str, str],
    timestamp: str,
    payload_hash: str,
    service: str,
    security_token: str,
    *,
    presigned: bool = False,
) -> Claim:
    access_key_id, date, region = scope_of(fields["Credential"], timestamp, service, refused)
    signed_headers = _names(fields["SignedHeaders"])
    if signed_headers is None:
        raise refused("SignedHeaders must be lower-case header names, sorted, each once.")
    if "host" not in signed_headers:
        raise refused("the host header must be signed.")
    if not _HEX_DIGEST.match(fields["Signature"]):
        raise refused("the Signature must be 64 lower-case hex digits.")
    return Claim(
        access_key_id,
        timestamp,
        date,
        region,
        service,
        signed_headers,
        fields["Signature"],
        payload_hash,
        presigned,
        security_token,
    )


def scope_of(
    credential: str, timestamp: str, service: str, refused: Callable[[str], S3Error]
) -> tuple[str, str, str]:
    """Access key id, date and region of a credential that is for `service` and of the timestamp's day.

    Raises what `refused` makes of a message.
    """
    parts = _parts(credential)
    if parts is None:
        raise refused(
            'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
        )
    access_key_id, date, region, named, terminal = parts
    if terminal != "aws4_request":
        raise refused(f'incorrect terminal "{terminal}". This endpoint uses "aws4_request".')
    if named != service:
        raise refused(f'incorrect service "{named}". This endpoint belongs to "{service}".')
    if not _DATE.match(date):
        raise refused(
            f'incorrect date format "{date}". This date in the credential must be in the format "yyyyMMdd".'
        )
    if date != timestamp[:8]:
        raise refused(f"Invalid credential date {date}. This date is not the same as X-Amz-Date.")
    return access_key_id, date, region


# What the next two take apart is the same in request after request of a client. It comes from strangers, too: what is
# long is not kept, or a thousand requests would fill the memory.


def _parts(credential: str) -> list[str] | None:
    return _kept_parts(credential) if len(credential) <= _MAX_CREDENTIAL else None


@lru_cache(maxsize=1024)
def _kept_parts(credential: str) -> list[str] | None:
    parts = credential.split("/")
    return parts if len(parts) == 5 and all(parts) else None


def _names(signed_headers: str) -> tuple[str, ...] | None:
    usual = len(signed_headers) <= _USUAL_NAMES
    return _kept_names(signed_headers) if usual else _kept_names.__wrapped__(signed_headers)


@lru_cache(maxsize=1024)
def _kept_names(signed_headers: str) -> tuple[str, ...] | None:
    names = signed_headers.split(";")
    if not all(map(_SIGNED_NAME.match, names)) or names != sorted(set(names)):
        return None
    return tuple(names)
