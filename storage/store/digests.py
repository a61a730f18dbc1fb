"""The digests of a body, computed while it passes: MD5 for the ETag and the checksums that S3 names."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from awscrt import checksums as crt

from .sealed import Layout

_CRC: dict[str, tuple[Callable[[bytes, int], int], int]] = {
    "crc32": (crt.crc32, 4),
    "crc32c": (crt.crc32c, 4),
    "crc64nvme": (crt.crc64nvme, 8),
}
_HASH = ("sha1", "sha256")
ALGORITHMS = frozenset((*_CRC, *_HASH))


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """A body that is safe on disk (`id`) or held in memory for the index to take in (`inline`); one of the two.

    `size`, `md5` (hex) and `checksums` (an algorithm's name → the Base64 text that S3 headers carry) are those of the
    plain body, also where it is sealed: file or `inline` are then as `layout` says. `modified` has whole seconds: it
    is the file's mtime and becomes the object's Last-Modified.
    """

    size: int
    md5: str
    modified: datetime
    id: str | None = None
    inline: bytes | None = field(default=None, repr=False)
    checksums: dict[str, str] = field(default_factory=dict)
    layout: Layout | None = None


class Digests:
    """MD5 and the asked-for checksums over the chunks given to `update`, in order."""

    def __init__(self, algorithms: Iterable[str] = ()) -> None:
        """Raises ValueError for an algorithm that is not in ALGORITHMS."""
        wanted = set(algorithms)
        if unknown := wanted - ALGORITHMS:
            raise ValueError(f"unknown checksum algorithms: {', '.join(sorted(unknown))}")
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in _HASH if name in wanted}
        self._crcs = {name: 0 for name in _CRC if name in wanted}

    def update(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._md5.update(chunk)
        for hasher in self._hashes.values():
            hasher.update(chunk)
        for name, value in self._crcs.items():
            self._crcs[name] = _CRC[name][0](chunk, value)

    def md5(self) -> str:
        """The body's MD5 in hex, as an ETag has it."""
        return self._md5.hexdigest()

    def checksums(self) -> dict[str, str]:
        """Algorithm → Base64, as `x-amz-checksum-*` has it."""
        raw = {name: hasher.digest() for name, hasher in self._hashes.items()}
        raw |= {name: value.to_bytes(_CRC[name][1], "big") for name, value in self._crcs.items()}
        return {name: b64encode(value).decode() for name, value in raw.items()}


def multipart_etag(part_etags: Iterable[str]) -> str:
    """The ETag of a completed upload: the MD5 over its parts' binary MD5s, and their number."""
    etags = list(part_etags)
    whole = hashlib.md5(b"".join(bytes.fromhex(etag) for etag in etags), usedforsecurity=False)
    return f"{whole.hexdigest()}-{len(etags)}"
