"""Request bodies: what the payload hash promises, the `aws-chunked` coding, and how much has to arrive."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from enum import Enum
from typing import Any, Final

from storage.s3.errors import S3Error
from storage.s3.sigv4 import UNSIGNED

MAX_OBJECT: Final = 5 * 1024**3
IDLE_SECONDS: Final = 60

STREAMING_TRAILER: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_HEX: Final = re.compile(r"[0-9a-f]{64}\Z")
_CHUNK: Final = re.compile(rb"[0-9A-Fa-f]{1,16}\Z")
_MAX_LINE: Final = 1024
_MAX_TRAILERS: Final = 8

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Payload(Enum):
    """How the body travels and what was signed of it."""

    HASHED = "its SHA-256 is signed"
    UNSIGNED = "as it is, not signed"
    CHUNKED = "aws-chunked with an unsigned trailer"


def payload_of(payload_hash: str) -> Payload:
    """The mode that an `x-amz-content-sha256` names. Raises NotImplemented for signed chunks."""
    if payload_hash == UNSIGNED:
        return Payload.UNSIGNED
    if payload_hash == STREAMING_TRAILER:
        return Payload.CHUNKED
    if _HEX.match(payload_hash):
        return Payload.HASHED
    if payload_hash.startswith("STREAMING-"):
        raise S3Error("NotImplemented", f"The payload mode {payload_hash} is not implemented.")
    raise S3Error(
        "InvalidArgument",
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "or a valid sha256 value.",
        extra={"ArgumentName": "x-amz-content-sha256"},
    )


def announced_size(
    payload: Payload, content_length: int | None, headers: Mapping[str, str], limit: int = MAX_OBJECT
) -> int:
    """How many bytes of content the request announces. Raises MissingContentLength or EntityTooLarge."""
    size = content_length
    decoded = headers.get("x-amz-decoded-content-length")
    if payload is Payload.CHUNKED:
        if decoded is None:
            raise S3Error("MissingContentLength")
        if not (decoded.isascii() and decoded.isdigit()) or len(decoded) > 18:
            raise S3Error("InvalidArgument", "x-amz-decoded-content-length must be a number")
        size = int(decoded)
    if size is None:
        raise S3Error("MissingContentLength")
    if size > limit:
        raise S3Error("EntityTooLarge", extra={"ProposedSize": str(size), "MaxSizeAllowed": str(limit)})
    return size


class AwsChunked:
    """Decodes `size CRLF data CRLF … 0 CRLF trailer: value CRLF CRLF`, however it is cut into pieces."""

    def __init__(self) -> None:
        self.trailers: dict[str, str] = {}
        self.done = False
        self._left = 0  # bytes of the present chunk's data still to come
        self._ending = b""  # what of the CRLF after the data is still to come
        self._line = b""  # of a size or trailer line, what has come so far
        self._in_trailer = False

    def feed(self, data: bytes) -> list[bytes]:
        """The content in `data`. Raises InvalidRequest for what is not the coding, or comes after its end."""
        content: list[bytes] = []
        at = 0
        while at < len(data):
            if self.done:
                raise S3Error("InvalidRequest", "There is data after the end of the chunked body.")
            if self._left:
                piece = data[at : at + self._left]
                content.append(piece)
                self._left -= len(piece)
                at += len(piece)
                if not self._left:
                    self._ending = b"\r\n"
            elif self._ending:
                if data[at : at + 1] != self._ending[:1]:
                    raise S3Error("InvalidRequest", "A chunk does not end where its size says.")
                self._ending = self._ending[1:]
                at += 1
            else:
                at = self._read_line(data, at)
        return content

    def _read_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end + 1
        self._line += data[at:stop]
        if len(self._line) > _MAX_LINE:
            raise S3Error("InvalidRequest", "A line of the chunked body is too long.")
        if end >= 0:
            line, self._line = self._line, b""
            if not line.endswith(b"\r\n"):
                # Some clients end the trailer's lines with LF alone; a chunk's size must be exact.
                if not self._in_trailer:
                    raise S3Error("InvalidRequest", "A chunk's size is malformed.")
                line = line[:-1] + b"\r\n"
            self._take(line[:-2])
        return stop

    def _take(self, line: bytes) -> None:
        if not self._in_trailer:
            if not _CHUNK.match(line):
                raise S3Error("InvalidRequest", "A chunk's size is malformed.")
            self._left = int(line, 16)
            self._in_trailer = self._left == 0
        elif not line:
            self.done = True
        else:
            name, colon, value = line.partition(b":")
            field = name.decode("latin-1").strip().lower()
            if not colon or field in self.trailers or len(self.trailers) >= _MAX_TRAILERS:
                raise S3Error("InvalidRequest", "The trailer is malformed.")
            self.trailers[field] = value.decode("latin-1").strip()


class Body:
    """The content of a request as it arrives, decoded and counted.

    Iterating gives its pieces and ends when all that was announced has come; `trailers` are complete then.
    Raises IncompleteBody when the client stops early or says more than it announced, RequestTimeout when it
    says nothing for IDLE_SECONDS, InvalidRequest for a broken coding.
    """

    def __init__(self, receive: Receive, payload: Payload, size: int) -> None:
        self.size = size
        self.trailers: Mapping[str, str] = {}
        self._receive = receive
        self._chunked = AwsChunked() if payload is Payload.CHUNKED else None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        arrived = 0
        async for data in _pieces(self._receive):
            for piece in self._chunked.feed(data) if self._chunked else (data,):
                arrived += len(piece)
                if arrived > self.size:
                    raise S3Error("IncompleteBody", "The body is longer than was announced.")
                yield piece
        if arrived != self.size or (self._chunked and not self._chunked.done):
            raise S3Error("IncompleteBody")
        if self._chunked:
            self.trailers = self._chunked.trailers


async def read_all(receive: Receive, limit: int) -> bytes:
    """A small body (an XML document) in memory. Raises EntityTooLarge, IncompleteBody, RequestTimeout."""
    pieces: list[bytes] = []
    size = 0
    async for data in _pieces(receive):
        size += len(data)
        if size > limit:
            raise S3Error("EntityTooLarge", extra={"MaxSizeAllowed": str(limit)})
        pieces.append(data)
    return b"".join(pieces)


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
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
