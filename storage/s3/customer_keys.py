"""SSE-C: keys that customers bring with their requests, and what is sealed by them.

A key is never kept. It seals an object's data key, so that it unseals is the check that it is the right one.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from storage.s3.errors import S3Error

if TYPE_CHECKING:
    from storage.s3.request import Request

NAMES: Final = "x-amz-server-side-encryption-customer"
OF_SOURCE: Final = "x-amz-copy-source-server-side-encryption-customer"
"""How the names of the headers begin: the key's of what is written or read, and of what is copied."""
ALGORITHM: Final = "AES256"
_NONCE = 12


def given(request: Request, prefix: str = NAMES) -> bytes | None:
    """The customer's key (32 bytes) that a request brings, or None. Raises S3Error when anything of it is wrong."""
    algorithm, key, digest = (
        request.headers.get(prefix + name) for name in ("-algorithm", "-key", "-key-md5")
    )
    if algorithm is None and key is None and digest is None:
        return None
    if not _is_private(request):
        raise S3Error(
            "InvalidRequest",
            "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure "
            "connection.",
        )
    must = "Requests specifying Server Side Encryption with Customer provided keys must provide "
    if algorithm is None:
        raise S3Error("InvalidArgument", must + "a valid encryption algorithm.")
    if algorithm != ALGORITHM:
        raise S3Error("InvalidEncryptionAlgorithmError", extra={"ArgumentValue": algorithm})
    if not key:
        raise S3Error("InvalidArgument", must + "an appropriate secret key.")
    if not digest:
        raise S3Error("InvalidArgument", must + "the client calculated MD5 of the secret key.")
    secret = _decoded(key)
    if len(secret) != 32:
        raise S3Error("InvalidArgument", "The secret key was invalid for the specified algorithm.")
    if not hmac.compare_digest(_decoded(digest), _md5(secret)):
        raise S3Error(
            "InvalidArgument",
            "The calculated MD5 hash of the key did not match the hash that was provided.",
        )
    return secret


def headers(key: bytes) -> list[tuple[str, str]]:
    """What an answer says of the customer's key that was used."""
    return [(NAMES + "-algorithm", ALGORITHM), (NAMES + "-key-MD5", b64encode(_md5(key)).decode())]


def wrap(customer: bytes, key: bytes, place: bytes) -> str:
    """The data key sealed by the customer's, for that place alone."""
    nonce = os.urandom(_NONCE)
    return b64encode(nonce + AESGCM(customer).encrypt(nonce, key, place)).decode()


def unwrap(customer: bytes, wrapped: str, place: bytes) -> bytes:
    """The data key. Raises S3Error where it was not wrapped by this customer's key for this place."""
    sealed = b64decode(wrapped)
    try:
        return AESGCM(customer).decrypt(sealed[:_NONCE], sealed[_NONCE:], place)
    except InvalidTag:
        raise not_the_key() from None


def not_the_key() -> S3Error:
    """The refusal of a read without the key, or with another one."""
    return S3Error(
        "InvalidRequest",
        "The object was stored using a form of Server Side Encryption. The correct parameters must be provided "
        "to retrieve the object.",
    )


def _is_private(request: Request) -> bool:
    """Whether nobody between could read a key: TLS, the same machine, or the operator says so."""
    head = request.head
    if head.scheme == "https" or settings.S3_CUSTOMER_KEYS_OVER_HTTP:
        return True
    try:
        return ipaddress.ip_address(head.client_ip).is_loopback
    except ValueError:
        return False


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return b""


def _md5(key: bytes) -> bytes:
    return hashlib.md5(key, usedforsecurity=False).digest()
