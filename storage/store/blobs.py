"""Blobs on disk: `<root>/<first 2 hex>/<id>`, written to `<root>/tmp` first and renamed when they are whole.

A blob's file never changes once it has its name, so whoever opened it reads it to its end, also while it is
deleted. The edge sends the same files by itself; only regular files with hex ids stand below the root.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from io import FileIO
from pathlib import Path
from secrets import token_hex
from typing import TypeVar

from storage.errors import BlobCorrupt, BlobMissing

from . import files
from .digests import BlobInfo
from .sealed import Opener, Read, Sealer
from .writer import BlobWriter

T = TypeVar("T")

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_TMP = "tmp"
_THREADS = 16  # they wait for the disk most of the time
_READ_CHUNK = 256 << 10


def new_id() -> str:
    """A fresh random id: 32 lower-case hex digits."""
    return token_hex(16)


def path_of(blob_id: str) -> str:
    """`ab/<id>`: the blob's file relative to the root. Raises ValueError for anything but an id."""
    if not _ID.fullmatch(blob_id):
        raise ValueError("not a blob id")
    return f"{blob_id[:2]}/{blob_id}"


class BlobStore:
    """The blobs below one folder. Safe to use from several processes and event loops at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="blobs")

    def prepare(self) -> None:
        """Make the folders (blocking; once at start)."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o750)
        for name in (_TMP, *(f"{n:02x}" for n in range(256))):
            (self.root / name).mkdir(exist_ok=True, mode=0o750)
        files.sync_folder(self.root)

    def writer(
        self,
        algorithms: Iterable[str] = (),
        *,
        inline_limit: int = 0,
        size_limit: int | None = None,
        sealing: bytes | None = None,
    ) -> BlobWriter:
        """A writer that computes MD5 and `algorithms` (names in ALGORITHMS). Opens nothing yet.

        With `inline_limit` 0 even an empty body becomes a file. With `sealing`, a data key of 32 bytes, file or inline
        body hold the sealed bytes and `BlobInfo.layout` what it takes, beside the key, to open them.
        """
        blob_id = new_id()
        return BlobWriter(
            self._executor,
            self.root / _TMP / blob_id,
            self.root / path_of(blob_id),
            algorithms=algorithms,
            inline_limit=inline_limit,
            size_limit=size_limit,
            sealer=Sealer(sealing) if sealing is not None else None,
        )

    async def join(self, parts: Sequence[str]) -> BlobInfo:
        """A new blob of the parts' bytes in order, copied inside the kernel. `md5` is empty (nothing was read).

        Raises StoreFull, BlobMissing.
        """
        return await self._in_thread(partial(self._join, parts))

    async def read(
        self, blob_id: str, start: int = 0, length: int | None = None, *, opener: Opener | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes of a blob in chunks (the edge serves clients what is not sealed); by `opener` the plain bytes.

        Raises BlobMissing before the first chunk, with `opener` BlobCorrupt at any: what came before it is right.
        """
        with await self._in_thread(partial(self._open, blob_id)) as blob:
            if opener is not None:
                for each in opener.reads(start, length):
                    yield await self._in_thread(partial(_open_frames, blob, opener, each))
                return
            end = os.fstat(blob.fileno()).st_size if length is None else start + length
            while start < end:
                step = partial(os.pread, blob.fileno(), min(_READ_CHUNK, end - start), start)
                chunk = await self._in_thread(step)
                if not chunk:
                    return
                start += len(chunk)
                yield chunk

    async def delete(self, blob_ids: Iterable[str]) -> None:
        """Remove the files; one that is gone already is no error."""
        await self._in_thread(partial(self.remove, list(blob_ids)))

    def close(self) -> None:
        """Wait for the threads."""
        self._executor.shutdown()

    # Blocking: for sweeps.

    def remove(self, blob_ids: Iterable[str]) -> None:
        """As `delete`. The folder is not synced: a name that a power cut brings back is swept again."""
        for blob_id in blob_ids:
            with suppress(FileNotFoundError):
                (self.root / path_of(blob_id)).unlink()

    def remove_stale_temporaries(self, older_than: float) -> int:
        """Remove files of uploads that were touched last more than `older_than` seconds ago; returns how many."""
        limit, removed = time.time() - older_than, 0
        with os.scandir(self.root / _TMP) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_mtime < limit:
                        Path(entry.path).unlink()
                        removed += 1
        return removed

    def old_blobs(self, older_than: float) -> Iterator[list[str]]:
        """Ids of the blobs that were written more than `older_than` seconds ago, folder by folder."""
        limit = time.time() - older_than
        for n in range(256):
            found = []
            with suppress(FileNotFoundError), os.scandir(self.root / f"{n:02x}") as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        if _ID.fullmatch(entry.name) and entry.stat(follow_symlinks=False).st_mtime < limit:
                            found.append(entry.name)
            if found:
                yield found

    def _open(self, blob_id: str) -> FileIO:
        try:
            return FileIO(self.root / path_of(blob_id))
        except FileNotFoundError:
            raise BlobMissing(blob_id) from None

    def _join(self, parts: Sequence[str]) -> BlobInfo:
        blob_id = new_id()
        temporary, target = self.root / _TMP / blob_id, self.root / path_of(blob_id)
        with files.full_disk_is_typed():
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
            try:
                for part in parts:
                    with self._open(part) as source:
                        files.append(source.fileno(), fd)
                size = os.fstat(fd).st_size
                modified = files.publish(fd, temporary, target)
            except BaseException:
                with suppress(FileNotFoundError):
                    temporary.unlink()
                raise
            finally:
                os.close(fd)
        return BlobInfo(size=size, md5="", modified=modified, id=blob_id)

    async def _in_thread(self, step: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, step)


def _open_frames(blob: FileIO, opener: Opener, read: Read) -> bytes:
    if os.fstat(blob.fileno()).st_size != opener.layout.sealed_size:
        raise BlobCorrupt("a sealed body has another size than it had")
    return opener.open(read, os.pread(blob.fileno(), read.length, read.offset))
