"""Bodies in chunks, signed as the S3 API reference says, for tests to bend."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

EMPTY = hashlib.sha256().hexdigest()


@dataclass
class Chunked:
    """Signs chunk after chunk; `pieces` are the body so far, each chunk and trailer one of them."""

    key: bytes
    timestamp: str
    scope: str
    previous: str  # the seed, then each signature
    pieces: list[bytes] = field(default_factory=list)

    def link(self, kind: str, digests: str) -> str:
        text = f"AWS4-HMAC-SHA256-{kind}\n{self.timestamp}\n{self.scope}\n{self.previous}\n{digests}"
        self.previous = hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()
        return self.previous

    def chunk(self, data: bytes) -> None:
        signature = self.link("PAYLOAD", f"{EMPTY}\n{hashlib.sha256(data).hexdigest()}")
        end = data + b"\r\n" if data else b""
        self.pieces.append(f"{len(data):x};chunk-signature={signature}\r\n".encode() + end)

    def trailer(self, text: str, ending: str = "\r\n") -> None:
        """`text` is one `name:value`, or nothing."""
        lines = f"{text}\n" if text else ""
        signature = self.link("TRAILER", hashlib.sha256(lines.encode()).hexdigest())
        start = f"{text}{ending}" if text else ""
        self.pieces.append(f"{start}x-amz-trailer-signature:{signature}\r\n".encode())


def body(signer: Chunked, chunks: Sequence[bytes], trailer: str | None = None) -> bytes:
    """The whole body: `chunks`, the last chunk, the trailer if there is to be one."""
    for data in (*chunks, b""):
        signer.chunk(data)
    if trailer is not None:
        signer.trailer(trailer)
    return b"".join(signer.pieces) + b"\r\n"
