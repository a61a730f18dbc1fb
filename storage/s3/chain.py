"""The chain of signatures through a body sent in signed chunks.

Each chunk's signature covers the one before it, the first the request's own ("seed"), and the trailer the last
chunk's: so no chunk can be changed, left out, repeated or taken from another request.

Follows "Signature calculations for the authorization header: transferring payload in multiple chunks" and
"… including trailing headers" of the S3 API reference.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final, NamedTuple

from storage.s3.errors import S3Error

_CHUNK: Final = "AWS4-HMAC-SHA256-PAYLOAD"
_TRAILER: Final = "AWS4-HMAC-SHA256-TRAILER"
_NOTHING: Final = hashlib.sha256().hexdigest()


class Seed(NamedTuple):
    """What a proven request leaves for its body to be proven with."""

    key: bytes  # of the day, region and service
    timestamp: str
    scope: str
    signature: str


class Chain:
    """The signatures of one body, in order."""

    def __init__(self, seed: Seed) -> None:
        self._seed = seed
        self._previous = seed.signature

    def chunk(self, digest: str, signature: str) -> None:
        """Return when `signature` is that of the next chunk, whose SHA-256 in hex is `digest`.

        Raises SignatureDoesNotMatch.
        """
        self._link(_CHUNK, f"{_NOTHING}\n{digest}", signature)

    def trailer(self, trailers: Mapping[str, str], signature: str) -> None:
        """Return when `signature` is that of the trailer. Raises SignatureDoesNotMatch."""
        lines = "".join(f"{name}:{trailers[name]}\n" for name in sorted(trailers))
        self._link(_TRAILER, hashlib.sha256(lines.encode("latin-1")).hexdigest(), signature)

    def _link(self, algorithm: str, digests: str, signature: str) -> None:
        seed = self._seed
        signed = f"{algorithm}\n{seed.timestamp}\n{seed.scope}\n{self._previous}\n{digests}"
        expected = hmac.digest(seed.key, signed.encode(), "sha256").hex()
        if not hmac.compare_digest(expected.encode(), signature.encode("latin-1")):
            raise S3Error("SignatureDoesNotMatch")
        self._previous = expected
