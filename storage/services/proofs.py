"""Whether stored bytes are those that a row tells of: size, ETag, checksums, and of sealed ones every frame."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from awscrt import checksums as crt

from gateway import crypto
from storage.errors import BlobCorrupt
from storage.s3 import checksums, encryption
from storage.store.digests import Digests, multipart_etag
from storage.store.sealed import Layout, Opener

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Claim:
    """What a row says of its bytes. `parts` are the plain sizes of the parts it was made of, where that is known."""

    tenant_id: int
    size: int
    etag: str
    checksums: Mapping[str, str]
    sse: Mapping[str, Any] | None
    parts: Sequence[int] | None = None

    @property
    def layout(self) -> Layout | None:
        return Layout.from_json(self.sse) if self.sse is not None else None


def check_file(claim: Claim, fd: int, read: Callable[[int], None] = lambda count: None) -> str:
    """What is wrong with the file, in words; empty when nothing is. `read` is told of every piece (to go slowly).

    The pages that the system holds of it are dropped before and after: what counts is on the disk.
    """
    size = os.fstat(fd).st_size
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def pieces(offset: int, length: int) -> Iterator[bytes]:
        while length > 0:
            piece = os.pread(fd, min(_CHUNK, length), offset)
            if not piece:
                raise BlobCorrupt("the file ends early")
            read(len(piece))
            offset, length = offset + len(piece), length - len(piece)
            yield piece

    try:
        return _check(claim, size, pieces)
    finally:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def check_bytes(claim: Claim, body: bytes) -> str:
    """As `check_file`, of a body in the row."""
    return _check(claim, len(body), lambda offset, length: iter((body[offset : offset + length],)))


_Pieces = Callable[[int, int], Iterator[bytes]]


def _check(claim: Claim, size: int, pieces: _Pieces) -> str:
    layout = claim.layout
    expected = claim.size if layout is None else layout.sealed_size
    if size != expected:
        return f"{size} bytes instead of {expected}"
    if layout is not None and layout.size != claim.size:
        return f"sealed as {layout.size} bytes, the row says {claim.size}"
    try:
        if layout is None:
            return _differences(claim, pieces(0, size))
        opener = _opener(claim)
        if opener is None:  # the customer's: its digest is all that can be compared
            return _sealed_differs(layout, pieces(0, size))
        return _differences(claim, _opened(opener, pieces))
    except BlobCorrupt as e:
        return str(e)
    except crypto.CannotOpen as e:
        return f"its key cannot be opened: {e}"


def _opener(claim: Claim) -> Opener | None:
    assert claim.sse is not None
    return encryption.reading_ours(claim.tenant_id, claim.sse)


def _sealed_differs(layout: Layout, pieces: Iterable[bytes]) -> str:
    crc = 0
    for piece in pieces:
        crc = crt.crc64nvme(piece, crc)
    return "" if crc == layout.crc else "the sealed bytes' CRC64NVME differs"


def _opened(opener: Opener, pieces: _Pieces) -> Iterator[bytes]:
    for each in opener.reads():
        yield opener.open(each, b"".join(pieces(each.offset, each.length)))


def _differences(claim: Claim, body: Iterable[bytes]) -> str:
    """Compare plain bytes with ETag and checksums, as far as these tell of the bytes."""
    full = {name for name, value in claim.checksums.items() if "-" not in value}
    composite = set(claim.checksums) - full
    whole = Digests(full)
    parts = _Parts(claim.parts, composite) if claim.parts else None
    for piece in body:
        whole.update(piece)
        if parts is not None:
            parts.update(piece)
    if len(claim.etag) == 32 and claim.etag != whole.md5():
        return f"MD5 {whole.md5()}, ETag {claim.etag}"
    if parts is not None and claim.etag.endswith(f"-{len(parts.sizes)}") and claim.etag != parts.etag():
        return f"its parts make the ETag {parts.etag()}, not {claim.etag}"
    found = whole.checksums() | (parts.checksums() if parts is not None else {})
    for name, value in claim.checksums.items():
        if name in found and found[name] != value:
            return f"{name.upper()} {found[name]} instead of {value}"
    return ""


class _Parts:
    """The digests of a body's parts, by their sizes."""

    def __init__(self, sizes: Sequence[int], algorithms: set[str]) -> None:
        self.sizes = sizes
        self._algorithms = algorithms
        self._digests = [Digests(algorithms)]
        self._left = sizes[0]

    def update(self, piece: bytes) -> None:
        while piece:
            while self._left == 0 and len(self._digests) < len(self.sizes):
                self._left = self.sizes[len(self._digests)]
                self._digests.append(Digests(self._algorithms))
            step = piece if len(self._digests) == len(self.sizes) else piece[: self._left]
            self._digests[-1].update(step)
            self._left -= len(step)
            piece = piece[len(step) :]

    def etag(self) -> str:
        return multipart_etag(digests.md5() for digests in self._digests)

    def checksums(self) -> dict[str, str]:
        made = [digests.checksums() for digests in self._digests]
        return {
            name: checksums.joined(name, checksums.COMPOSITE, [(each[name], 0) for each in made])
            for name in self._algorithms
        }
