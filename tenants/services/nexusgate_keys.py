"""The external issuer's published keys (RFC 7517): fetched by a job, kept sealed in the cache, read by every process.

A request fetches only for a key that nobody has seen yet, or when the cache is empty, and all processes together no
more often than every FETCH_PAUSE seconds. A key that the issuer withdraws is forgotten with the job's next run.
"""

from __future__ import annotations

import http.client
import logging
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError

from gateway import crypto

log = logging.getLogger(__name__)

MOST_BYTES = 256 << 10
MOST_KEYS = 50
FETCH_SECONDS = 5.0
FETCH_PAUSE = 10
KEPT_SECONDS = 30.0
"""How long a process goes on with what it read from the cache."""
LOST_SECONDS = 24 * 3600
"""How long keys are believed while the issuer does not answer."""
_NAME = "nexusgate:keys"
_AAD = b"tenants.nexusgate_keys"
# By the kind of key, which alone decides what it can verify: a token's header does not.
_ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}


class NotFetched(Exception):
    """The issuer's keys could not be had; the text says why."""


@dataclass(frozen=True, slots=True)
class PublishedKey:
    key: Any
    algorithms: tuple[str, ...]


_Keys = dict[str, PublishedKey]
_read: tuple[float, _Keys] | None = None
_fetched = 0.0


def verifying(kid: object) -> PublishedKey | None:
    """The issuer's key of that id; without one, its only key. None where it publishes no such key."""
    known = _known()
    found = _named(known, kid)
    if found is None and _may_fetch():
        try:
            known = refresh()
        except NotFetched as error:
            log.warning("the keys of NEXUSGATE: %s", error)
        found = _named(known, kid)
    return found


def refresh() -> _Keys:
    """Fetch the keys and keep them for all processes; what beat calls. Raises NotFetched."""
    global _read
    body = _fetch(settings.NEXUSGATE_JWKS_URL)
    keys = _parsed(body)
    if not keys:
        raise NotFetched("there is no usable key in the answer")
    try:
        cache.set(_NAME, crypto.seal(body, _AAD), LOST_SECONDS)
    except RedisError as error:
        log.warning("the keys of NEXUSGATE are kept in this process alone: %s", error)
    _read = (time.monotonic(), keys)
    return keys


def forget() -> None:
    """Read anew, in this process."""
    global _read, _fetched
    _read, _fetched = None, 0.0


def _named(keys: _Keys, kid: object) -> PublishedKey | None:
    if kid is None:
        return next(iter(keys.values())) if len(keys) == 1 else None
    return keys.get(kid) if isinstance(kid, str) else None


def _known() -> _Keys:
    global _read
    now = time.monotonic()
    if _read is not None and now - _read[0] < KEPT_SECONDS:
        return _read[1]
    try:
        sealed = cache.get(_NAME)
        keys = _parsed(crypto.open_sealed(sealed, _AAD)) if sealed else {}
    except (RedisError, crypto.CannotOpen) as error:
        log.warning("the kept keys of NEXUSGATE: %s", error)
        keys = _read[1] if _read is not None else {}
    _read = (now, keys)
    return keys


def _may_fetch() -> bool:
    """Once in FETCH_PAUSE seconds over all processes; without the cache, in this one."""
    global _fetched
    now = time.monotonic()
    if _fetched and now - _fetched < FETCH_PAUSE:
        return False
    _fetched = now
    try:
        return bool(cache.add(f"{_NAME}:fetched", 1, FETCH_PAUSE))
    except RedisError:
        return True


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _fetch(url: str) -> bytes:
    """The body, at most MOST_BYTES, within FETCH_SECONDS. Raises NotFetched."""
    ends = time.monotonic() + FETCH_SECONDS
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310  checked at start
    body = b""
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=FETCH_SECONDS) as answer:
            while chunk := answer.read1(64 << 10):
                body += chunk
                if len(body) > MOST_BYTES:
                    raise NotFetched(f"the answer has more than {MOST_BYTES} bytes")
                if time.monotonic() > ends:
                    raise NotFetched(f"the answer took more than {FETCH_SECONDS:.0f} s")
    except urllib.error.HTTPError as error:
        error.close()
        raise NotFetched(f"the issuer answers {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotFetched(str(error)) from error
    return body


def _parsed(body: bytes) -> _Keys:
    """The keys that can verify signatures, by id. Others, and shared secrets above all, are passed over."""
    try:
        listed = orjson.loads(body)["keys"]
    except (ValueError, KeyError, TypeError):
        return {}
    keys: _Keys = {}
    for entry in listed[:MOST_KEYS] if isinstance(listed, list) else []:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        able = _ALGORITHMS.get(str(entry.get("kty")), ())
        if named := entry.get("alg"):
            able = tuple(a for a in able if a == named)
        if not able:
            continue
        try:
            key = jwt.PyJWK(entry, algorithm=able[0]).key
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        if isinstance(key, RSAPublicKey) and key.key_size < 2048:
            continue
        keys[str(entry.get("kid", ""))] = PublishedKey(key, able)
    return keys
