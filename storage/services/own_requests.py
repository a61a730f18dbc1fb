"""Requests of the platform to its own S3 door, for what moves bytes or must reach a backend.

They are signed with the hidden key of whoever wants them, so that the door decides them like any other.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from contextlib import nullcontext
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlencode

import httpx2
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from defusedxml.ElementTree import ParseError, fromstring
from django.conf import settings

from gateway import trust
from gateway.errors import (
    Conflict,
    DomainError,
    Forbidden,
    Invalid,
    NotFound,
    QuotaExceeded,
    Unavailable,
    UpstreamTimeout,
)
from storage.models import Bucket
from storage.s3.errors import BUSY, LOCKED, word
from tenants.principal import Principal

from . import access_keys, backend_providers, far, refusals

_PATIENCE: Final = httpx2.Timeout(30, connect=10)
_PATIENCE_OF_COPIES: Final = httpx2.Timeout(120, connect=10)
_KINDS: Final[dict[str, type[DomainError]]] = {
    "NoSuchKey": NotFound,
    "NoSuchVersion": NotFound,
    "NoSuchBucket": NotFound,
    "AccessDenied": Forbidden,
    "QuotaExceeded": QuotaExceeded,
    "PreconditionFailed": Conflict,
    "InvalidBucketState": Conflict,
}


def send(
    method: str,
    bucket: Bucket,
    key: str,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    actor: Principal,
) -> httpx2.Headers:
    """The headers of a good answer.

    Raises NotFound, Forbidden, Invalid, Conflict, QuotaExceeded, Unavailable, UpstreamTimeout.
    """
    key_id, secret = access_keys.signing_key(actor=actor)
    target = f"/s3/{bucket.name}/{quote(key, safe='/~')}"
    if query:
        target += f"?{urlencode(query, quote_via=quote)}"
    url = settings.PUBLIC_BASE_URL.rstrip("/") + target
    given = dict(headers or {})
    if body:
        given["Content-MD5"] = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    request = AWSRequest(method, url, headers=given, data=body)
    S3SigV4Auth(Credentials(key_id, secret), "s3", "us-east-1").add_auth(request)
    backend = bucket.placement.backend
    bound = far.place(bucket.tenant_id, backend.pk) if backend_providers.is_remote(backend) else nullcontext()
    try:
        with bound:
            answer = _client(trust.own_authority_since()).request(
                method,
                url,
                headers=dict(request.headers),
                content=body,
                timeout=_PATIENCE_OF_COPIES if "x-amz-copy-source" in given else _PATIENCE,
                extensions={"target": target.encode()},  # as it is: `..` in a key is no way up
            )
    except httpx2.TimeoutException as error:
        raise UpstreamTimeout(
            "The store did not answer in time; what it was asked may still be done.", code="backend_timeout"
        ) from error
    except httpx2.HTTPError as error:
        raise Unavailable(
            f"The store does not answer: {type(error).__name__}.", code="store_unavailable"
        ) from error
    if answer.status_code >= 300:
        raise _refusal(answer)
    # A copy's failure may come after the status was sent.
    if answer.content and _named(answer.content)[0] == "Error":
        raise _refusal(answer)
    return answer.headers


@lru_cache(maxsize=1)
def _client(since: float) -> httpx2.Client:
    """For all threads, until the authority changes. Reading those it trusts takes longer than many a request."""
    return httpx2.Client(timeout=_PATIENCE, verify=trust.own_authority())


def _refusal(answer: httpx2.Response) -> DomainError:
    _, code, message = _named(answer.content)
    if message == BUSY:
        return Unavailable(message, code="backend_busy")
    if answer.status_code >= 500 or not code:
        return Unavailable(message or f"The store answered {answer.status_code}.", code="store_unavailable")
    if message == LOCKED:
        return refusals.locked()
    return _KINDS.get(code, Invalid)(message, code=word(code))


def _named(content: bytes) -> tuple[str, str, str]:
    """The document's root, and an error's code and message."""
    try:
        root = fromstring(content, forbid_dtd=True)
    except ParseError:
        return "", "", ""
    name = str(root.tag).rpartition("}")[2]
    return name, root.findtext("Code") or "", root.findtext("Message") or ""
