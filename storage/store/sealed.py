"""Bodies encrypted at rest: AES-256-GCM in frames, so that a range is read without the rest (after NIST SP 800-38D).

A body is one segment, a joined one several. A segment has a key of its own, derived from the object's data key and a
random salt, and is cut into frames of FRAME bytes, each sealed with its number as the nonce and with its number and
whether it is the segment's last as associated data. So a frame that was changed, moved, left out or taken from
elsewhere, and a segment that was cut short, does not open. Segments stand one behind the other without anything
between, which is why joining parts copies their files as they are; sizes and salts are in the object's row.
"""

from __future__ import annotations

import hmac
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Self

from awscrt import checksums as crt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from storage.errors import BlobCorrupt

FRAME = 64 << 10
TAG = 16
KEY = 32
SALT = 12

_PURPOSE = b"gatehouse/blob/1"
_AT_ONCE = 8  # frames that are read and opened in one go


def new_key() -> bytes:
    """A fresh data key of an object."""
    return os.urandom(KEY)


def sealed_size(size: int) -> int:
    """The bytes that a segment of `size` plain bytes takes; an empty one has a frame too."""
    return size + TAG * _frames(size)


@dataclass(frozen=True, slots=True)
class Segment:
    """What it takes, beside the key, to open a segment. `size` is of the plain bytes."""

    size: int
    salt: bytes


@dataclass(frozen=True, slots=True)
class Layout:
    """The segments of a sealed body, and the CRC64NVME of the sealed bytes, which tells damage without any key."""

    segments: tuple[Segment, ...]
    crc: int

    @property
    def size(self) -> int:
        """Of the plain body."""
        return sum(segment.size for segment in self.segments)

    @property
    def sealed_size(self) -> int:
        return sum(sealed_size(segment.size) for segment in self.segments)

    @classmethod
    def joined(cls, parts: Iterable[Layout]) -> Self:
        """The layout of the parts' sealed bytes one behind the other."""
        segments: list[Segment] = []
        crc = 0
        for part in parts:
            segments += part.segments
            crc = crt.combine_crc64nvme(crc, part.crc, part.sealed_size)
        return cls(tuple(segments), crc)

    def as_json(self) -> dict[str, Any]:
        """For a row: runs of equal sizes, and the salts in one text (16 characters each)."""
        sizes = [[size, len(list(run))] for size, run in groupby(segment.size for segment in self.segments)]
        salts = b64encode(b"".join(segment.salt for segment in self.segments)).decode()
        return {"sizes": sizes, "salts": salts, "crc": f"{self.crc:016x}"}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """What `as_json` made."""
        salts = b64decode(kept["salts"])
        sizes = [int(size) for size, count in kept["sizes"] for _ in range(count)]
        segments = (Segment(size, salts[n * SALT : (n + 1) * SALT]) for n, size in enumerate(sizes))
        return cls(tuple(segments), int(kept["crc"], 16))


class Sealer:
    """Seals one segment. Give it the plain bytes in pieces of any size; `finish` once."""

    def __init__(self, key: bytes) -> None:
        self._salt = os.urandom(SALT)
        self._cipher = _cipher(key, self._salt)
        self._held = bytearray()
        self._frame = self._size = self._crc = 0

    def update(self, chunk: bytes) -> bytes:
        """The sealed frames that are complete; the last one is held back, for it may be the final one."""
        self._size += len(chunk)
        self._held += chunk
        count = (len(self._held) - 1) // FRAME if self._held else 0
        if count <= 0:
            return b""
        with memoryview(self._held) as held:
            frames = [self._seal(held[n * FRAME : (n + 1) * FRAME], final=False) for n in range(count)]
        del self._held[: count * FRAME]
        return self._counted(b"".join(frames))

    def finish(self) -> bytes:
        """The final frame."""
        return self._counted(self._seal(self._held, final=True))

    @property
    def layout(self) -> Layout:
        """After `finish`."""
        return Layout((Segment(self._size, self._salt),), self._crc)

    def _seal(self, plain: bytearray | memoryview, *, final: bool) -> bytes:
        number, self._frame = self._frame, self._frame + 1
        return self._cipher.encrypt(_nonce(number), plain, _associated(number, final=final))

    def _counted(self, sealed: bytes) -> bytes:
        self._crc = crt.crc64nvme(sealed, self._crc)
        return sealed


@dataclass(frozen=True, slots=True)
class Read:
    """Some frames of one segment: where they stand in the sealed body, and what of their plain bytes is wanted."""

    offset: int
    length: int
    segment: int
    first_frame: int
    begin: int
    end: int


class Opener:
    """Opens ranges of a sealed body."""

    def __init__(self, key: bytes, layout: Layout) -> None:
        self._key, self.layout = key, layout
        self._ciphers: dict[int, AESGCM] = {}

    def reads(self, start: int = 0, length: int | None = None) -> Iterator[Read]:
        """What to read, in order, for `length` plain bytes from `start` on (None: all that follow).

        Of an empty body its one frame is read too, so that its absence is noticed.
        """
        end = self.layout.size if length is None else min(start + length, self.layout.size)
        plain = offset = 0  # where the segment begins
        for index, segment in enumerate(self.layout.segments):
            begin, stop = max(start - plain, 0), min(end - plain, segment.size)
            if begin < stop or (segment.size == self.layout.size == 0):
                yield from _within(index, segment.size, offset, begin, stop)
            plain += segment.size
            offset += sealed_size(segment.size)

    def open(self, read: Read, sealed: bytes) -> bytes:
        """The wanted plain bytes of what was read. Raises BlobCorrupt unless every frame is what was written."""
        if len(sealed) != read.length:
            raise BlobCorrupt("a sealed body is shorter than it was")
        size = self.layout.segments[read.segment].size
        last = _frames(size) - 1
        cipher = self._cipher(read.segment)
        frames = []
        try:
            with memoryview(sealed) as view:
                for n, at in enumerate(range(0, read.length, FRAME + TAG)):
                    number = read.first_frame + n
                    associated = _associated(number, final=number == last)
                    frames.append(cipher.decrypt(_nonce(number), view[at : at + FRAME + TAG], associated))
        except InvalidTag:
            raise BlobCorrupt("a sealed body does not open") from None
        whole = b"".join(frames)
        return whole if read.end - read.begin == len(whole) else whole[read.begin : read.end]

    def open_bytes(self, sealed: bytes, start: int = 0, length: int | None = None) -> bytes:
        """The plain range of a sealed body that is in memory. Raises BlobCorrupt."""
        if len(sealed) != self.layout.sealed_size:
            raise BlobCorrupt("a sealed body has another size than it had")
        pieces = self.reads(start, length)
        return b"".join([self.open(each, sealed[each.offset : each.offset + each.length]) for each in pieces])

    def _cipher(self, segment: int) -> AESGCM:
        found = self._ciphers.get(segment)
        if found is None:
            found = _cipher(self._key, self.layout.segments[segment].salt)
            self._ciphers = {segment: found}  # segments are read one after the other
        return found


def _within(index: int, size: int, offset: int, begin: int, stop: int) -> Iterator[Read]:
    last = _frames(size) - 1
    end_frame = max(stop - 1, 0) // FRAME
    for first in range(begin // FRAME, end_frame + 1, _AT_ONCE):
        until = min(first + _AT_ONCE - 1, end_frame)
        sealed_end = sealed_size(size) if until == last else (until + 1) * (FRAME + TAG)
        base = first * FRAME
        yield Read(
            offset=offset + first * (FRAME + TAG),
            length=sealed_end - first * (FRAME + TAG),
            segment=index,
            first_frame=first,
            begin=max(begin - base, 0),
            end=min(stop - base, (until + 1 - first) * FRAME),
        )


def _frames(size: int) -> int:
    return max(1, -(-size // FRAME))


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(hmac.digest(key, _PURPOSE + salt, "sha256"))


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


def _associated(number: int, *, final: bool) -> bytes:
    return _PURPOSE + number.to_bytes(8, "big") + (b"\1" if final else b"\0")
