"""What people hold in their hands: an app whose clock stands still, and a security key in software, which answers
WebAuthn options as a browser would, made of the specification alone."""

from __future__ import annotations

import hashlib
import json
import secrets
import sys
import time
from base64 import urlsafe_b64encode
from types import SimpleNamespace
from typing import Any

import pyotp
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import encode_cbor

ORIGIN = "http://localhost:8080"


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes are of one moment, however long a test takes."""
    now = time.time()
    monkeypatch.setattr("pyotp.totp.time", SimpleNamespace(time=lambda: now))


def code(secret: str, steps: int = 0) -> str:
    """What the app shows, so many steps of 30 seconds from now."""
    app = pyotp.TOTP(secret)
    return app.generate_otp(app.timecode(sys.modules["pyotp.totp"].time.time()) + steps)


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


class SecurityKey:
    """One credential (ES256). `origin` is the page's that asks it; `counter` rises with each signature."""

    def __init__(self, origin: str = ORIGIN) -> None:
        self.origin, self.counter = origin, 0
        self.id = secrets.token_bytes(32)
        self._private = ec.generate_private_key(ec.SECP256R1())

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """Section 5.1.3, with the attestation `none`."""
        numbers = self._private.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        public = encode_cbor({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        data = self._data(options["rp"]["id"], 0x41) + attested
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options["challenge"])
        return self._answer({"clientDataJSON": _text(client), "attestationObject": _text(attestation)})

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """Section 5.1.4."""
        self.counter += 1
        data = self._data(options["rpId"], 0x01)
        client = self._client("webauthn.get", options["challenge"])
        signed = data + hashlib.sha256(client).digest()
        signature = self._private.sign(signed, ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {
                "clientDataJSON": _text(client),
                "authenticatorData": _text(data),
                "signature": _text(signature),
            }
        )

    def _data(self, rp_id: str, flags: int) -> bytes:
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str) -> bytes:
        told = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(told).encode()

    def _answer(self, response: dict[str, str]) -> dict[str, Any]:
        name = _text(self.id)
        return {"id": name, "rawId": name, "type": "public-key", "response": response}
