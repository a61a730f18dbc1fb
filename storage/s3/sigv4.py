"""AWS Signature Version 4, as S3 speaks it: reading a request's claim, and proving or refusing it.

What S3 does differently from other services, and what attackers made of it elsewhere:

* the path is signed as the client wrote it, encoded once and never normalised, so `//` and `..` are names;
* the claim may stand in the `Authorization` header or in the query (presigned), never in both;
* the payload's hash is part of what is signed in every mode and place, so every mode is verified here,
  before anyone looks at what the mode means for the body;
* every `x-amz-*` header on the wire must have been signed, or a presigned PUT becomes whatever an added
  header makes of it (`x-amz-copy-source`). `x-amz-content-sha256` alone needs no signature of its own:
  its value is a line of the canonical request.

Nothing here looks anything up: the caller reads the claim, finds the secret of `claim.access_key_id`, and
asks for the proof. Header names are lower-case; duplicates are joined by a comma in order of arrival.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from storage.s3.errors import S3Error

ALGORITHM: Final = "AWS4-HMAC-SHA256"
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
MAX_SKEW: Final = 15 * 60
MAX_EXPIRES: Final = 7 * 24 * 3600

_UNRESERVED: Final = "-._~"
_HEX_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_TIMESTAMP: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\Z", re.ASCII)
_SIGNED_NAME: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+\Z")
_PLAIN_QUERY: Final = re.compile(r"[A-Za-z0-9._~=&-]*\Z")
_PLAIN_VALUE: Final = re.compile(r"[A-Za-z0-9._~-]*\Z")
_HEADER_CLAIM: Final = frozenset({"Credential", "SignedHeaders", "Signature"})
QUERY_CLAIM: Final = frozenset(
    {
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
    }
)


class Claim(NamedTuple):
    """What a request says about who signed it and over what. Nothing of it is proven yet."""

    access_key_id: str
    timestamp: str  # YYYYMMDDTHHMMSSZ, as signed
    date: str  # of the credential's scope
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    payload_hash: str  # the value that was signed: 64 hex digits, UNSIGNED-PAYLOAD or STREAMING-…
    presigned: bool


def read_claim(headers: Mapping[str, str], raw_query: str, now: datetime) -> Claim | None:
    """The request's claim, its form and times checked; None when the request makes none (anonymous).

    Raises S3Error for a claim that is malformed, ambiguous, too old, too new or not understood.
    """
    if "x-amz-security-token" in headers or "X-Amz-Security-Token=" in raw_query:
        raise S3Error(
            "InvalidToken", "Temporary credentials are not issued here; leave the session token out."
        )
    authorization = headers.get("authorization")
    in_query = "X-Amz-" in raw_query and _is_presigned(raw_query)
    if authorization is None:
        if in_query:
            return _from_query(headers, raw_query, now)
        if "Signature=" in raw_query and "AWSAccessKeyId=" in raw_query:
            raise S3Error("InvalidRequest", f"Signature Version 2 is not supported. Please use {ALGORITHM}.")
        return None
    if in_query:
        raise S3Error(
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
            "Signature query string parameter or the Authorization header should be specified",
            extra={"ArgumentName": "Authorization"},
        )
    return _from_header(headers, authorization, now)


def prove(
    claim: Claim, secret: str, method: str, raw_path: str, raw_query: str, headers: Mapping[str, str]
) -> None:
    """Return when `secret` made the claim's signature over exactly this request; raise S3Error otherwise."""
    for name in headers:
        if name[:6] == "x-amz-" and name not in claim.signed_headers and name != "x-amz-content-sha256":
            raise S3Error(
                "AccessDenied",
                "There were headers present in the request which were not signed",
                extra={"HeadersNotSigned": name},
            )
    query = canonical_query(raw_query, without_signature=claim.presigned)
    rest = canonical_rest(query, headers, claim.signed_headers, claim.payload_hash)
    scope = f"{claim.date}/{claim.region}/{claim.service}/aws4_request"
    key = signing_key(secret, claim.date, claim.region, claim.service)
    if _matches(claim, key, scope, f"{method}\n{raw_path}\n{rest}"):
        return
    # A client may send `(` and sign `%28`: S3 signs the decoded path encoded anew. Both spell the same key.
    encoded = quote(unquote_to_bytes(raw_path.encode("latin-1", "replace")), safe="/" + _UNRESERVED)
    if encoded != raw_path and _matches(claim, key, scope, f"{method}\n{encoded}\n{rest}"):
        return
    raise S3Error("SignatureDoesNotMatch", extra={"AWSAccessKeyId": claim.access_key_id})


def _matches(claim: Claim, key: bytes, scope: str, canonical_request: str) -> bool:
    expected = sign(key, claim.timestamp, scope, canonical_request)
    return hmac.compare_digest(expected, claim.signature)


def sign(key: bytes, timestamp: str, scope: str, canonical_request: str) -> str:
    """The signature in hex. Raw bytes in the path (latin-1 characters) are signed as they came."""
    digest = hashlib.sha256(canonical_request.encode("latin-1", "replace")).hexdigest()
    return hmac.digest(key, f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}".encode(), "sha256").hex()


@lru_cache(maxsize=4096)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of a day, region and service: four HMACs that need not be repeated for each request."""
    key = hmac.digest(b"AWS4" + secret.encode(), date.encode(), "sha256")
    key = hmac.digest(key, region.encode(), "sha256")
    key = hmac.digest(key, service.encode(), "sha256")
    return hmac.digest(key, b"aws4_request", "sha256")


def canonical_rest(query: str, headers: Mapping[str, str], signed: tuple[str, ...], payload_hash: str) -> str:
    """The canonical request after its method and path. A header signed but absent counts as empty."""
    lines = []
    for name in signed:
        value = headers.get(name, "")
        if "  " in value or "\n" in value or "\t" in value:
            value = " ".join(value.split())
        lines.append(f"{name}:{value.strip()}\n")
    return f"{query}\n{''.join(lines)}\n{';'.join(signed)}\n{payload_hash}"


def canonical_query(raw_query: str, *, without_signature: bool = False) -> str:
    """The query sorted and encoded as SigV4 wants it; `+` means a space, as S3 reads it."""
    if not raw_query:
        return ""
    if not without_signature and "&" not in raw_query and _PLAIN_QUERY.match(raw_query):
        return raw_query if "=" in raw_query else raw_query + "="
    pairs = []
    for field in raw_query.split("&"):
        if not field:
            continue
        name, _, value = field.partition("=")
        if without_signature and name == "X-Amz-Signature":
            continue
        pairs.append((_reencode(name), _reencode(value)))
    pairs.sort()
    return "&".join(f"{name}={value}" for name, value in pairs)


def _reencode(text: str) -> str:
    return text if _PLAIN_VALUE.match(text) else _reencoded(text)


@lru_cache(maxsize=1024)  # credentials and lists of signed headers come again and again
def _reencoded(text: str) -> str:
    return quote(unquote_to_bytes(text.replace("+", " ").encode("latin-1", "replace")), safe=_UNRESERVED)


def _is_presigned(raw_query: str) -> bool:
    return any(field.partition("=")[0] in QUERY_CLAIM for field in raw_query.split("&"))


def _from_header(headers: Mapping[str, str], authorization: str, now: datetime) -> Claim:
    algorithm, _, rest = authorization.strip().partition(" ")
    if algorithm != ALGORITHM:
        raise S3Error(
            "InvalidRequest",
            f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}.",
        )
    parts = [part.strip().partition("=") for part in rest.split(",")]
    fields = {name: value for name, _, value in parts}
    if len(parts) != 3 or fields.keys() != _HEADER_CLAIM:
        raise S3Error("AuthorizationHeaderMalformed")
    payload_hash = headers.get("x-amz-content-sha256")
    if payload_hash is None:
        raise S3Error("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    timestamp = _header_timestamp(headers)
    claim = _claim("AuthorizationHeaderMalformed", fields, timestamp, payload_hash, presigned=False)
    if abs((now - _moment(timestamp)).total_seconds()) > MAX_SKEW:
        raise _skewed(timestamp, now)
    return claim


def _from_query(headers: Mapping[str, str], raw_query: str, now: datetime) -> Claim:
    code = "AuthorizationQueryParametersError"
    fields: dict[str, str] = {}
    payload_hash = None
    for field in raw_query.split("&"):
        name, _, value = field.partition("=")
        if name not in QUERY_CLAIM and name != "X-Amz-Content-Sha256":
            continue
        if name in fields:
            raise S3Error(code, f"Query-string authentication allows {name} only once")
        fields[name] = unquote_to_bytes(value).decode("utf-8", "replace") if "%" in value else value
    if fields.get("X-Amz-Algorithm") != ALGORITHM:
        raise S3Error(code, f"X-Amz-Algorithm only supports {ALGORITHM}")
    missing = QUERY_CLAIM - fields.keys()
    if missing:
        raise S3Error(code, f"Query-string authentication version 4 requires the {min(missing)} parameter")
    payload_hash = fields.get("X-Amz-Content-Sha256")
    sent = headers.get("x-amz-content-sha256")
    if payload_hash is not None and sent is not None and payload_hash != sent:
        raise S3Error(
            "InvalidRequest", "X-Amz-Content-Sha256 stands in the query and in a header, and differs"
        )
    timestamp = fields["X-Amz-Date"]
    if not _TIMESTAMP.match(timestamp):
        raise S3Error(code, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    named = {name: fields[f"X-Amz-{name}"] for name in ("Credential", "SignedHeaders", "Signature")}
    claim = _claim(code, named, timestamp, payload_hash or sent or UNSIGNED, presigned=True)
    seconds = fields["X-Amz-Expires"]
    if (
        not (seconds.isascii() and seconds.isdigit())
        or len(seconds) > 9
        or not 1 <= int(seconds) <= MAX_EXPIRES
    ):
        raise S3Error(
            code, f"X-Amz-Expires must be a number between 1 and {MAX_EXPIRES} seconds (seven days)"
        )
    signed_at = _moment(timestamp)
    if signed_at - now > timedelta(seconds=MAX_SKEW):
        raise S3Error("AccessDenied", "Request is not yet valid")
    if now > signed_at + timedelta(seconds=int(seconds)):
        raise S3Error("AccessDenied", "Request has expired", extra={"X-Amz-Expires": seconds})
    return claim


def _claim(
    code: str, fields: Mapping[str, str], timestamp: str, payload_hash: str, *, presigned: bool
) -> Claim:
    scope = _scope(fields["Credential"])
    if scope is None:
        raise S3Error(
            code, 'The Credential is malformed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
        )
    access_key_id, date, region, service = scope
    if service != "s3":
        raise S3Error(code, f'The Credential names the service "{service}"; expecting "s3".')
    if date != timestamp[:8]:
        raise S3Error(code, f"Invalid credential date {date}. This date is not the same as X-Amz-Date.")
    signed_headers = _names(fields["SignedHeaders"])
    if signed_headers is None:
        raise S3Error(code, "SignedHeaders must be lower-case header names, sorted, each once.")
    if "host" not in signed_headers:
        raise S3Error(code, "The host header must be signed.")
    if not _HEX_DIGEST.match(fields["Signature"]):
        raise S3Error(code, "The Signature must be 64 lower-case hex digits.")
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
    )


# What the next three take apart is the same in request after request of a client.


@lru_cache(maxsize=1024)
def _scope(credential: str) -> tuple[str, str, str, str] | None:
    parts = credential.split("/")
    if len(parts) != 5 or not all(parts) or parts[4] != "aws4_request":
        return None
    return parts[0], parts[1], parts[2], parts[3]


@lru_cache(maxsize=1024)
def _names(signed_headers: str) -> tuple[str, ...] | None:
    names = signed_headers.split(";")
    if not all(map(_SIGNED_NAME.match, names)) or names != sorted(set(names)):
        return None
    return tuple(names)


@lru_cache(maxsize=64)
def _moment(timestamp: str) -> datetime:
    found = _TIMESTAMP.match(timestamp)
    try:
        if found is None:
            raise ValueError(timestamp)
        year, month, day, hour, minute, second = map(int, found.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise S3Error(
            "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"
        ) from None


def _header_timestamp(headers: Mapping[str, str]) -> str:
    """The time that was signed: `x-amz-date`, else `Date` in either of its two forms."""
    stamp = headers.get("x-amz-date")
    if stamp is None:
        stamp = headers.get("date", "")
        if stamp and not _TIMESTAMP.match(stamp):
            try:
                moment = parsedate_to_datetime(stamp)
            except ValueError:
                stamp = ""
            else:
                stamp = moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    if not _TIMESTAMP.match(stamp):
        raise S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    return stamp


def _skewed(timestamp: str, now: datetime) -> S3Error:
    return S3Error(
        "RequestTimeTooSkewed",
        extra={
            "RequestTime": timestamp,
            "ServerTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "MaxAllowedSkewMilliseconds": str(MAX_SKEW * 1000),
        },
    )
