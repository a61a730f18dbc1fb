"""Blobs on disk: `<root>/<first 2 hex>/<id>`, written to `<root>/tmp` first and renamed when they are whole.

A blob's file never changes once it has its name, so whoever opened it reads it to its end, also while it is
deleted. The edge sends the same files by itself; only regular files with hex ids stand below the root.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

from .digests import BlobInfo

ID_LENGTH = 32


def new_id() -> str:
    """A fresh random id: 32 lower-case hex digits."""
    raise NotImplementedError


def path_of(blob_id: str) -> str:
    """`ab/<id>`: the blob's file relative to the root. Raises ValueError for anything but an id."""
    raise NotImplementedError


class BlobWriter:
    """One body on its way to disk; made by `BlobStore.writer`.

    `write` hands its chunk to a thread and returns once the chunk before it is written, so that receiving,
    digesting and writing overlap while at most two buffers are held. Then exactly one of `finish` or `abort`;
    as an async context manager it aborts by itself what was not finished.
    """

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes. Raises StoreFull or BodyTooLarge; the writer is then aborted already."""
        raise NotImplementedError

    async def finish(self) -> BlobInfo:
        """Make the body durable under its id. Raises StoreFull; nothing is left of it then.

        A body up to the writer's `inline_limit` never touches the disk: it comes back as `BlobInfo.inline`.
        """
        raise NotImplementedError

    async def abort(self) -> None:
        """Drop what was written. Also after a failure or `finish`, when it does nothing."""
        raise NotImplementedError

    async def __aenter__(self) -> BlobWriter:
        raise NotImplementedError

    async def __aexit__(self, *exc: object) -> None:
        raise NotImplementedError


class BlobStore:
    """The blobs below one folder. Safe to use from several processes and event loops."""

    def __init__(self, root: Path) -> None:
        raise NotImplementedError

    def prepare(self) -> None:
        """Make the folders (blocking; once at start)."""
        raise NotImplementedError

    def writer(
        self, algorithms: Iterable[str] = (), *, inline_limit: int = 0, size_limit: int | None = None
    ) -> BlobWriter:
        """A writer that computes MD5 and `algorithms` (names in ALGORITHMS). Opens nothing yet."""
        raise NotImplementedError

    async def join(self, parts: Sequence[str]) -> BlobInfo:
        """A new blob of the parts' bytes in order, copied inside the kernel. `md5` is empty (nothing was read).

        Raises StoreFull, BlobMissing.
        """
        raise NotImplementedError

    def read(self, blob_id: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of a blob in chunks (for copies; clients are served by the edge). Raises BlobMissing."""
        raise NotImplementedError

    async def delete(self, blob_ids: Iterable[str]) -> None:
        """Remove the files; one that is gone already is no error."""
        raise NotImplementedError
