"""Secrets at rest: AES-256-GCM under a named key, so that keys can be rotated.

A sealed value is `version (1 byte) | length of the key id (1) | key id | nonce (12) | ciphertext and tag`.
GATEHOUSE_ENCRYPTION_KEYS holds `id:base64(32 bytes)` pairs, comma-separated: the first seals, all open.
TENANT_SECRET_PASSPHRASE, of the systems this one replaces, gives a further key by scrypt.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

_VERSION = 1


class CannotOpen(Exception):
    """A sealed value was altered, belongs to another row, or its key is no longer configured."""


@functools.cache
def _keys() -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for pair in filter(None, (p.strip() for p in settings.ENCRYPTION_KEYS.split(","))):
        key_id, _, encoded = pair.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            key = b""
        if not key_id or len(key_id) > 64 or len(key) != 32:
            raise ImproperlyConfigured(
                "GATEHOUSE_ENCRYPTION_KEYS must be id:base64-of-32-bytes, comma-separated"
            )
        keys[key_id] = key
    if passphrase := settings.TENANT_SECRET_PASSPHRASE:
        salt = b"gatehouse/tenant-secret-passphrase"
        keys["passphrase"] = hashlib.scrypt(passphrase.encode(), salt=salt, n=1 << 14, r=8, p=1, dklen=32)
    if not keys:
        raise ImproperlyConfigured("GATEHOUSE_ENCRYPTION_KEYS is not set: no secret can be stored")
    return keys


def seal(plaintext: bytes, aad: bytes) -> bytes:
    """Encrypt under the first key. `aad` binds the value to its place, e.g. b"storage.accesskey:<id>"."""
    key_id, key = next(iter(_keys().items()))
    nonce = os.urandom(12)
    name = key_id.encode()
    return bytes([_VERSION, len(name)]) + name + nonce + AESGCM(key).encrypt(nonce, plaintext, aad)


def open_sealed(sealed: bytes, aad: bytes) -> bytes:
    """The plaintext of `seal` with the same `aad`. Raises CannotOpen."""
    sealed = bytes(sealed)
    if len(sealed) < 2 or sealed[0] != _VERSION:
        raise CannotOpen("not a sealed value")
    end = 2 + sealed[1]
    key = _keys().get(sealed[2:end].decode(errors="replace"))
    if key is None:
        raise CannotOpen("sealed under a key that is not configured")
    try:
        return AESGCM(key).decrypt(sealed[end : end + 12], sealed[end + 12 :], aad)
    except InvalidTag:
        raise CannotOpen("altered, or sealed for another place") from None


def resealed(sealed: bytes, aad: bytes) -> bytes | None:
    """The same value under the first key; None where it is under that one already. Raises CannotOpen."""
    if key_of(sealed) == next(iter(_keys())):
        return None
    return seal(open_sealed(sealed, aad), aad)


def key_of(sealed: bytes) -> str:
    """The id of the key that a sealed value needs (for rotation)."""
    sealed = bytes(sealed)
    return sealed[2 : 2 + sealed[1]].decode()


@functools.cache
def _digest_key(purpose: str) -> bytes:
    return hmac.digest(next(iter(_keys().values())), b"gatehouse/digest/" + purpose.encode(), "sha256")


def keyed_digest(purpose: str, value: str) -> bytes:
    """A digest that only this instance can compute: for caches keyed by a secret that must not hold it."""
    return hmac.digest(_digest_key(purpose), value.encode(), "sha256")


def _signing_key(purpose: str, key_id: str) -> bytes:
    key = _keys().get(key_id)
    if key is None:
        raise CannotOpen("signed under a key that is not configured")
    return hmac.digest(key, b"gatehouse/sign/" + purpose.encode(), "sha256")


def sign(purpose: str, value: bytes) -> tuple[str, bytes]:
    """The first key's id, and a digest (32 bytes) of `value` that only holders of that key can compute."""
    key_id = next(iter(_keys()))
    return key_id, hmac.digest(_signing_key(purpose, key_id), value, "sha256")


def is_signed(purpose: str, value: bytes, key_id: str, hexdigest: str) -> bool:
    """Whether `sign` made this digest of `value`. Raises CannotOpen where the key is not configured."""
    made = hmac.digest(_signing_key(purpose, key_id), value, "sha256").hex()
    return hmac.compare_digest(made.encode(), hexdigest.encode())
