"""Request bodies: what the payload hash promises, the `aws-chunked` coding, and how much has to arrive."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from enum import Enum
from typing import Any, Final

from storage.s3.chain import Chain, Seed
from storage.s3.chunked import AwsChunked
from storage.s3.errors import S3Error
from storage.s3.sigv4 import UNSIGNED

MAX_OBJECT: Final = 5 * 1024**3
IDLE_SECONDS: Final = 60

_HEX: Final = re.compile(r"[0-9a-f]{64}\Z")

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Payload(Enum):
    """How the body travels and what was signed of it."""

    HASHED = "its SHA-256 is signed"
    UNSIGNED = "as it is, not signed"
    CHUNKED = "aws-chunked with an unsigned trailer"
    SIGNED_CHUNKS = "aws-chunked, each chunk signed"
    SIGNED_TRAILER = "aws-chunked, each chunk and the trailer signed"

    @property
    def is_chunked(self) -> bool:
        """Whether the content is inside the aws-chunked coding."""
        return self not in (Payload.HASHED, Payload.UNSIGNED)

    @property
    def is_signed_in_chunks(self) -> bool:
        """Whether only this process can tell if the body is what was signed: it holds the key."""
        return self in (Payload.SIGNED_CHUNKS, Payload.SIGNED_TRAILER)

    @property
    def may_trail(self) -> bool:
        """Whether a trailer may follow the content."""
        return self in (Payload.CHUNKED, Payload.SIGNED_TRAILER)


_MODES: Final[Mapping[str, Payload]] = {
    UNSIGNED: Payload.UNSIGNED,
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": Payload.CHUNKED,
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": Payload.SIGNED_CHUNKS,
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": Payload.SIGNED_TRAILER,
}


def payload_of(payload_hash: str) -> Payload:
    """The mode that an `x-amz-content-sha256` names. Raises NotImplemented for those of Signature Version 4A."""
    if payload_hash in _MODES:
        return _MODES[payload_hash]
    if _HEX.match(payload_hash):
        return Payload.HASHED
    if payload_hash.startswith("STREAMING-AWS4-ECDSA-"):
        raise S3Error("NotImplemented", f"The payload mode {payload_hash} is not implemented.")
    raise S3Error(
        "InvalidArgument",
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER "
        "or a valid sha256 value.",
        extra={"ArgumentName": "x-amz-content-sha256", "ArgumentValue": payload_hash},
    )


def announced_size(
    payload: Payload, content_length: int | None, headers: Mapping[str, str], limit: int = MAX_OBJECT
) -> int:
    """How many bytes of content the request announces. Raises MissingContentLength or EntityTooLarge."""
    size = content_length
    decoded = headers.get("x-amz-decoded-content-length")
    if payload.is_chunked:
        if decoded is None or not (decoded.isascii() and decoded.isdigit()) or len(decoded) > 18:
            raise S3Error("MissingContentLength")
        size = int(decoded)
    if size is None:
        raise S3Error("MissingContentLength")
    if size > limit:
        raise S3Error("EntityTooLarge", extra={"ProposedSize": str(size), "MaxSizeAllowed": str(limit)})
    return size


class Body:
    """The content of a request as it arrives, decoded, proven and counted.

    Iterating gives its pieces and ends when all that was announced has come; `trailers` are complete then. What is
    signed in chunks must be given the `seed` that the request's proof left. A piece is given before the signature
    of its chunk is known: whoever stores it must drop it when this raises. A `size` of None was not announced.

    Raises IncompleteBody when the client stops early, says more than it announced or breaks the coding,
    SignatureDoesNotMatch for a chunk or trailer that is not what was signed, InvalidChunkSizeError,
    MalformedTrailerError, RequestTimeout when the client says nothing for IDLE_SECONDS.
    """

    def __init__(
        self, receive: Receive, payload: Payload, size: int | None, seed: Seed | None = None
    ) -> None:
        self.size = size
        self.trailers: Mapping[str, str] = {}
        self._receive = receive
        self._chunked = (
            AwsChunked(_chain(payload, seed), trailer=payload.may_trail) if payload.is_chunked else None
        )

    async def __aiter__(self) -> AsyncIterator[bytes]:
        arrived = 0
        async for data in pieces(self._receive):
            for piece in self._chunked.feed(data) if self._chunked else (data,):
                arrived += len(piece)
                if self.size is not None and arrived > self.size:
                    raise S3Error("IncompleteBody", "The body is longer than was announced.")
                yield piece
        if self.size not in (None, arrived) or (self._chunked and not self._chunked.done):
            raise S3Error("IncompleteBody")
        if self._chunked:
            self.trailers = self._chunked.trailers


def _chain(payload: Payload, seed: Seed | None) -> Chain | None:
    if not payload.is_signed_in_chunks:
        return None
    if seed is None:
        raise S3Error(
            "InvalidRequest",
            "A payload in signed chunks needs a request that is signed with AWS4-HMAC-SHA256. "
            "Please use UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER.",
        )
    return Chain(seed)


async def pieces(receive: Receive) -> AsyncIterator[bytes]:
    """A body as it arrives. Raises IncompleteBody when the client goes away, RequestTimeout when it says nothing."""
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                message = await receive()
        except TimeoutError:
            raise S3Error("RequestTimeout") from None
        if message["type"] == "http.disconnect":
            raise S3Error("IncompleteBody")
        if data := message.get("body", b""):
            yield data
        if not message.get("more_body", False):
            return
