"""Names of S3 user metadata put back into lower case, in a stream of HTTP/1.1 answers.

Follows RFC 9112 as far as finding where one answer ends and the next begins; what it cannot follow it passes on
untouched for the rest of the connection.
"""

from __future__ import annotations

import re
from enum import Enum, auto

_METADATA = re.compile(rb"^x-amz-meta-[^:\r\n]*", re.IGNORECASE | re.MULTILINE)
_LENGTH = re.compile(rb"^content-length:[ \t]*([0-9]+)[ \t]*\r$", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding:[ \t]*chunked[ \t]*\r$", re.IGNORECASE | re.MULTILINE)
_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3})[ \r]")
_AGENT = re.compile(rb"^user-agent:[^\r\n]*botocore", re.IGNORECASE | re.MULTILINE)
_LONGEST_HEAD = 256 << 10
_LONGEST_LINE = 1 << 10


def opened_by_botocore(first: bytes) -> bool:
    """Whether a connection's first bytes are a request of botocore's."""
    return _AGENT.search(first.partition(b"\r\n\r\n")[0]) is not None


def lower_metadata(head: bytes) -> bytes:
    """An answer's head with the names of user metadata in lower case."""
    return _METADATA.sub(lambda name: name[0].lower(), head)


class _At(Enum):
    HEAD = auto()
    BODY = auto()  # `_left` bytes of it to come
    CHUNK_SIZE = auto()
    CHUNK = auto()  # `_left` bytes with their line end to come
    TRAILER = auto()
    ANYTHING = auto()  # the rest is passed on untouched


class AnswerCasing:
    """Follows one connection of a client that sends one request at a time, as botocore does."""

    def __init__(self) -> None:
        self._at = _At.HEAD
        self._held = b""
        self._left = 0
        self._bodiless = False
        self.request_open = False
        """Between a request's first byte and its answer's last: what the client sends then need not be seen."""

    @property
    def answer_left(self) -> int:
        """How many of the server's next bytes are certain to be inside a body, and need not be seen."""
        return max(0, self._left - 1) if self._at in (_At.BODY, _At.CHUNK) else 0

    def passed(self, count: int) -> None:
        """So many of those went by unseen."""
        self._left -= count

    def asked(self, data: memoryview) -> None:
        """Bytes of the client's: of the first of a request, whether it is a HEAD."""
        if not self.request_open:
            self.request_open = True
            self._bodiless = bytes(data[:5]) == b"HEAD "

    def answered(self, data: memoryview) -> bytes | memoryview:
        """Bytes of the server's, as they go to the client; those of an unfinished head are kept back."""
        if self._at is _At.ANYTHING or (self._at is _At.BODY and len(data) < self._left):
            self._left -= len(data)
            return data
        rest = self._held + bytes(data)
        self._held = b""
        out: list[bytes] = []
        while rest:
            before = self._at, len(rest)
            rest = self._step(rest, out)
            if (self._at, len(rest)) == before:  # it needs more
                self._held = rest
                break
        return b"".join(out)

    def _step(self, rest: bytes, out: list[bytes]) -> bytes:
        if self._at is _At.HEAD:
            return self._head(rest, out)
        if self._at in (_At.CHUNK_SIZE, _At.TRAILER):
            return self._line(rest, out)
        if self._at is _At.ANYTHING:
            out.append(rest)
            return b""
        taken, rest = rest[: self._left], rest[self._left :]
        out.append(taken)
        self._left -= len(taken)
        if not self._left:
            if self._at is _At.BODY:
                self._next()
            else:
                self._at = _At.CHUNK_SIZE
        return rest

    def _head(self, rest: bytes, out: list[bytes]) -> bytes:
        end = rest.find(b"\r\n\r\n") + 4
        if end < 4:
            return self._give_up(rest, out) if len(rest) > _LONGEST_HEAD else rest
        head, rest = rest[:end], rest[end:]
        status = _STATUS.match(head)
        out.append(lower_metadata(head))
        if status is None or status[1] == b"101":
            self._at = _At.ANYTHING
        elif status[1].startswith(b"1"):
            pass  # an interim answer: the next head is still of the same request
        elif self._bodiless or status[1] in (b"204", b"304"):
            self._next()
        elif _CHUNKED.search(head):
            self._at = _At.CHUNK_SIZE
        elif length := _LENGTH.search(head):
            self._left = int(length[1])
            if self._left:
                self._at = _At.BODY
            else:
                self._next()
        else:
            self._at = _At.ANYTHING  # until the connection ends
        return rest

    def _line(self, rest: bytes, out: list[bytes]) -> bytes:
        """A chunk's size, or a line of the trailer."""
        end = rest.find(b"\r\n") + 2
        if end < 2:
            return self._give_up(rest, out) if len(rest) > _LONGEST_LINE else rest
        line, rest = rest[:end], rest[end:]
        out.append(line)
        if self._at is _At.TRAILER:
            if line == b"\r\n":
                self._next()
            return rest
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            return self._give_up(rest, out)
        if size:
            self._at, self._left = _At.CHUNK, size + 2
        else:
            self._at = _At.TRAILER
        return rest

    def _next(self) -> None:
        self._at = _At.HEAD
        self.request_open = False

    def _give_up(self, rest: bytes, out: list[bytes]) -> bytes:
        self._at = _At.ANYTHING
        out.append(rest)
        return b""
