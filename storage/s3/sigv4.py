"""AWS Signature Version 4, as S3 speaks it: reading a request's claim, and proving or refusing it.

What S3 does differently from other services, and what attackers made of it elsewhere:

* the path is signed as the client wrote it, encoded once and never normalised, so `//` and `..` are names;
* the claim may stand in the `Authorization` header or in the query (presigned), never in both;
* the payload's hash is part of what is signed in every mode and place, so every mode is verified here,
  before anyone looks at what the mode means for the body;
* every `x-amz-*` header on the wire must have been signed, or a presigned PUT becomes whatever an added
  header makes of it (`x-amz-copy-source`). `x-amz-content-sha256` alone needs no signature of its own:
  its value is a line of the canonical request. A session token is signed like the rest.

Nothing here looks anything up: the caller reads the claim, finds the secret of `claim.access_key_id`, and
asks for the proof. Header names are lower-case; duplicates are joined by a comma in order of arrival.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from storage.s3.chain import Seed
from storage.s3.errors import S3Error

ALGORITHM: Final = "AWS4-HMAC-SHA256"
UNSIGNED: Final = "UNSIGNED-PAYLOAD"

_UNRESERVED: Final = "-._~"
_USUAL_VALUE: Final = 2048  # characters of a parameter that may be kept: they are a stranger's
_PLAIN_QUERY: Final = re.compile(r"[A-Za-z0-9._~=&-]*\Z")
_PLAIN_VALUE: Final = re.compile(r"[A-Za-z0-9._~-]*\Z")
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
    security_token: str = ""  # of temporary credentials


def prove(
    claim: Claim, secret: str, method: str, raw_path: str, raw_query: str, headers: Mapping[str, str]
) -> Seed:
    """What a body in signed chunks is proven with, when `secret` signed exactly this request.

    Raises SignatureDoesNotMatch, or AccessDenied for an x-amz-* header that was not signed.
    """
    unsigned = [
        name
        for name in headers
        if name[:6] == "x-amz-" and name not in claim.signed_headers and name != "x-amz-content-sha256"
    ]
    if unsigned:
        raise S3Error(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            extra={"HeadersNotSigned": ", ".join(sorted(unsigned))},
        )
    query = canonical_query(raw_query, without_signature=claim.presigned)
    rest = canonical_rest(query, headers, claim.signed_headers, claim.payload_hash)
    scope = f"{claim.date}/{claim.region}/{claim.service}/aws4_request"
    key = signing_key(secret, claim.date, claim.region, claim.service)
    seed = Seed(key, claim.timestamp, scope, claim.signature)
    if _matches(claim, key, scope, f"{method}\n{raw_path}\n{rest}"):
        return seed
    # A client may send `(` and sign `%28`: S3 signs the decoded path encoded anew. Both spell the same key.
    encoded = quote(unquote_to_bytes(raw_path.encode("latin-1", "replace")), safe="/" + _UNRESERVED)
    if encoded != raw_path and _matches(claim, key, scope, f"{method}\n{encoded}\n{rest}"):
        return seed
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
    if _PLAIN_VALUE.match(text):
        return text
    return _reencoded(text) if len(text) <= _USUAL_VALUE else _reencoded.__wrapped__(text)


@lru_cache(maxsize=1024)  # credentials and lists of signed headers come again and again
def _reencoded(text: str) -> str:
    return quote(unquote_to_bytes(text.replace("+", " ").encode("latin-1", "replace")), safe=_UNRESERVED)
