"""Blobs on disk: `<folder>/<first 2 hex>/<id>`, written to `<folder>/tmp` first and renamed when they are whole.

A blob's file never changes once it has its name, so whoever opened it reads it to its end, also while it is
deleted. The edge sends the same files by itself; only regular files with hex ids stand below the root.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import partial
from io import FileIO
from pathlib import Path
from secrets import token_hex
from typing import TypeVar

from storage.errors import BlobCorrupt, BlobMissing, StorageRefusal, StoreUnavailable

from . import files
from .digests import BlobInfo
from .folders import RESERVE, TMP, Folder, Folders
from .sealed import Opener, Read, Sealer
from .writer import BlobWriter, Place

log = logging.getLogger(__name__)

T = TypeVar("T")

_ID = re.compile(r"(?:([a-z][a-z0-9]{2,6})-)?([0-9a-f]{32})", re.ASCII)
_FILE = re.compile(r"[0-9a-f]{32}", re.ASCII)
_THREADS = 16  # they wait for the disk most of the time
_READ_CHUNK = 256 << 10


def new_id() -> str:
    """A fresh random id: 32 lower-case hex digits."""
    return token_hex(16)


def path_of(blob_id: str) -> str:
    """The blob's file relative to the root: `ab/<id>`, or `<folder>/ab/<its hex>`. Raises ValueError for no id."""
    found = _ID.fullmatch(blob_id)
    if not found:
        raise ValueError("not a blob id")
    folder, name = found.groups()
    return f"{folder}/{name[:2]}/{name}" if folder else f"{name[:2]}/{name}"


class BlobStore:
    """The blobs of one instance. Safe to use from several processes and event loops at once."""

    def __init__(self, root: Path, further: Mapping[str, Path] | None = None, reserve: int = RESERVE) -> None:
        """`root` is the home's own folder, `further` others by name; of each disk `reserve` bytes stay free."""
        self.root = root
        self.folders = Folders(root, further or {}, reserve)
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="blobs")

    def prepare(self) -> None:
        """Make the folders (blocking; once at start). One that cannot be used is logged, and does without."""
        self.folders.prepare()

    def writer(
        self,
        algorithms: Iterable[str] = (),
        *,
        inline_limit: int = 0,
        size_limit: int | None = None,
        expected: int = 0,
        sealing: bytes | None = None,
    ) -> BlobWriter:
        """A writer that computes MD5 and `algorithms` (names in ALGORITHMS). Opens nothing yet.

        With `inline_limit` 0 even an empty body becomes a file. With `sealing`, a data key of 32 bytes, file or inline
        body hold the sealed bytes and `BlobInfo.layout` what it takes, beside the key, to open them. `expected` bytes
        are announced: there must be room for them now. Raises StoreFull, StoreUnavailable.
        """
        folder = self._choose(expected)
        if expected > inline_limit:
            self.folders.require_room(folder, expected)
        return BlobWriter(
            self._executor,
            self.folders,
            folder,
            self._place,
            algorithms=algorithms,
            inline_limit=inline_limit,
            size_limit=size_limit,
            sealer=Sealer(sealing) if sealing is not None else None,
        )

    async def join(self, parts: Sequence[str]) -> BlobInfo:
        """A new blob of the parts' bytes in order, copied inside the kernel. `md5` is empty (nothing was read).

        Raises StoreFull, StoreUnavailable, BlobMissing.
        """
        return await self._in_thread(partial(self._join, parts))

    async def read(
        self, blob_id: str, start: int = 0, length: int | None = None, *, opener: Opener | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes of a blob in chunks (the edge serves clients what is not sealed); by `opener` the plain bytes.

        Raises BlobMissing before the first chunk, with `opener` BlobCorrupt at any: what came before it is right.
        """
        with await self._in_thread(partial(self.open, blob_id)) as blob:
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
        """Remove the files; one that is gone already is no error, one that cannot be removed is left to the sweep."""
        await self._in_thread(partial(self.remove, list(blob_ids)))

    def close(self) -> None:
        """Wait for the threads."""
        self._executor.shutdown()

    # Blocking: for sweeps.

    def remove(self, blob_ids: Iterable[str]) -> set[str]:
        """As `delete`; returns those that a disk does not let go of, which is logged.

        The folder is not synced: a name that a power cut brings back is swept again.
        """
        kept: dict[str, OSError] = {}
        for blob_id in blob_ids:
            try:
                (self.root / path_of(blob_id)).unlink(missing_ok=True)
            except OSError as e:
                kept[blob_id] = e
        if kept:
            blob_id, error = next(iter(kept.items()))
            log.error("%s files of the store cannot be removed: %s: %s", len(kept), blob_id, error)
        return set(kept)

    def remove_stale_temporaries(self, older_than: float) -> int:
        """Remove files of uploads that were touched last more than `older_than` seconds ago; returns how many."""
        limit, removed = time.time() - older_than, 0
        for folder in self.folders.usable():
            for path in _older(folder.path / TMP, limit):
                try:
                    path.unlink(missing_ok=True)
                    removed += 1
                except OSError as e:
                    log.error("storage folder %s: %s", folder.name or self.root, e)
        return removed

    def old_blobs(self, older_than: float) -> Iterator[list[str]]:
        """Ids of the blobs that were written more than `older_than` seconds ago, a folder of them at a time.

        Those in folders that are not there now, or cannot be listed, are left out.
        """
        limit = time.time() - older_than
        for folder in self.folders.usable():
            prefix = f"{folder.name}-" if folder.name else ""
            for n in range(256):
                files_there = _older(folder.path / f"{n:02x}", limit)
                if found := [prefix + path.name for path in files_there if _FILE.fullmatch(path.name)]:
                    yield found

    def is_away(self, blob_id: str) -> bool:
        """Whether the blob's whole folder is not there now: its disk may come back, with all that lies on it."""
        found = _ID.fullmatch(blob_id)
        name = found[1] if found else None
        return name is not None and not any(
            folder.name == name and folder.is_there for folder in self.folders.all()
        )

    def open(self, blob_id: str) -> FileIO:
        """The blob's file. Raises BlobMissing, StoreUnavailable."""
        try:
            return FileIO(self.root / path_of(blob_id))
        except FileNotFoundError:
            raise BlobMissing(blob_id) from None
        except OSError as e:
            raise StoreUnavailable(e.strerror) from e

    def _join(self, parts: Sequence[str]) -> BlobInfo:
        folder = self._choose(sum(self._size(part) for part in parts) if self.folders.several else 0)
        place = self._place(folder)
        try:
            with files.failures_are_typed():
                size, modified = self._write_joined(parts, place)
        except StorageRefusal as e:
            self.folders.failed(folder, e)
            raise
        return BlobInfo(size=size, md5="", modified=modified, id=place.id)

    def _write_joined(self, parts: Sequence[str], place: Place) -> tuple[int, datetime]:
        fd = files.create(place.temporary)
        try:
            for part in parts:
                with self.open(part) as source:
                    files.check_room(fd, self.folders.reserve)
                    files.append(source.fileno(), fd)
            return os.fstat(fd).st_size, files.publish(fd, place.temporary, place.target)
        except BaseException:
            with suppress(OSError):
                place.temporary.unlink()
            raise
        finally:
            os.close(fd)

    def _choose(self, size: int) -> Folder:
        if self.folders.is_stale():  # in a thread: a disk that hangs must not hold up who serves
            self._executor.submit(self.folders.look)
        return self.folders.choose(size)

    def _place(self, folder: Folder) -> Place:
        name = new_id()
        return Place(
            f"{folder.name}-{name}" if folder.name else name,
            folder.path / TMP / name,
            folder.path / name[:2] / name,
        )

    def _size(self, blob_id: str) -> int:
        try:
            return (self.root / path_of(blob_id)).stat().st_size
        except FileNotFoundError:
            raise BlobMissing(blob_id) from None

    async def _in_thread(self, step: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, step)


def _older(folder: Path, limit: float) -> list[Path]:
    """What was touched last before `limit`; nothing where the folder cannot be listed, which is logged."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_mtime < limit:
                        found.append(Path(entry.path))
    except FileNotFoundError:
        pass
    except OSError as e:
        log.error("storage folder %s: %s", folder, e)
    return found


def _open_frames(blob: FileIO, opener: Opener, read: Read) -> bytes:
    if os.fstat(blob.fileno()).st_size != opener.layout.sealed_size:
        raise BlobCorrupt("a sealed body has another size than it had")
    return opener.open(read, os.pread(blob.fileno(), read.length, read.offset))
