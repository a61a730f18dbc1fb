"""What one step of a request tells a later one, signed so that only this platform's word is believed.

A token travels through the edge's memory, never to the client. The signature is there so that a mistake
in the edge's configuration, or somebody who reaches the decision process's socket, cannot commit or
handle what no decider decided.
"""

import binascii
import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, cast

import orjson

_MAC_BYTES = 16


class TokenSigner:
    """Seals JSON objects with a key derived from the platform's secret: every process has the same."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(b"gatehouse.decision.token:" + secret.encode()).digest()

    def seal(self, token: Mapping[str, Any]) -> str:
        """The token as one header value."""
        body = orjson.dumps(token)
        return urlsafe_b64encode(self._mac(body) + body).decode("ascii")

    def open(self, sealed: bytes) -> Mapping[str, Any]:
        """The token that was sealed. ValueError when it was not sealed with this key."""
        try:
            raw = urlsafe_b64decode(sealed)
        except binascii.Error as error:
            raise ValueError("not a token") from error
        mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(body)):
            raise ValueError("the token is not ours")
        return cast("Mapping[str, Any]", orjson.loads(body))

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:_MAC_BYTES]
