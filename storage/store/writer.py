"""BlobWriter: one body on its way from a socket to disk."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

from storage.errors import BodyTooLarge, StorageRefusal, StoreUnavailable

from . import files
from .digests import BlobInfo, Digests
from .folders import Folder, Folders
from .sealed import Sealer

T = TypeVar("T")

# Sockets give 64 KiB at a time; a thread is worth waking for more than that.
BUFFER = 512 << 10


class Place(NamedTuple):
    """Where a new blob is written, and where it stands when it is whole."""

    id: str
    temporary: Path
    target: Path


class BlobWriter:
    """Made by `BlobStore.writer`. Exactly one of `finish` or `abort` ends it; `async with` aborts by itself.

    Chunks gather in a buffer; a full one goes to a thread that digests and writes it while the next one fills, so
    two buffers are held at most and receiving overlaps with MD5, the slowest part.
    """

    def __init__(
        self,
        executor: Executor,
        folders: Folders,
        folder: Folder,
        place: Callable[[Folder], Place],
        *,
        algorithms: Iterable[str],
        inline_limit: int,
        size_limit: int | None,
        sealer: Sealer | None = None,
    ) -> None:
        self.received = 0
        self._executor = executor
        self._folders, self._folder = folders, folder
        self._place_in, self._place = place, place(folder)
        self._digests = Digests(algorithms)
        self._sealer = sealer
        self._inline_limit, self._size_limit = inline_limit, size_limit
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._running: Future[None] | None = None
        # Held by whichever thread works on the file: a cancelled request may drop it while a chunk is being written.
        self._lock = threading.Lock()
        self._fd: int | None = None
        self._over = False

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes; waits when the disk is more than a buffer behind.

        Raises StoreFull, StoreUnavailable or BodyTooLarge; the writer is then aborted already.
        """
        self.received += len(chunk)
        if self._size_limit is not None and self.received > self._size_limit:
            await self.abort()
            raise BodyTooLarge
        self._buffer.append(chunk)
        self._buffered += len(chunk)
        if self._buffered >= BUFFER:
            await self._settle()
            chunks, self._buffer, self._buffered = self._buffer, [], 0
            self._running = self._executor.submit(self._consume, chunks)

    async def finish(self) -> BlobInfo:
        """Make the body durable under its id. Raises StoreFull, StoreUnavailable; nothing is left of it then.

        A body up to the writer's `inline_limit` never touches the disk: it comes back as `BlobInfo.inline`.
        """
        if 0 < self._inline_limit >= self.received:
            return self._finish_inline()
        await self._settle()
        chunks, self._buffer = self._buffer, []
        return await self._in_thread(lambda: self._publish(chunks))

    async def abort(self) -> None:
        """Drop what was written. Does nothing after `finish` or a failure."""
        if self._over:
            return
        self._buffer = []
        await self._in_thread(self._discard)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.abort()

    async def _settle(self) -> None:
        """Wait for the buffer under way; its failure ends the writer."""
        if self._running is None:
            return
        try:
            await asyncio.shield(asyncio.wrap_future(self._running))
        except Exception:
            await self.abort()
            raise
        self._running = None

    async def _in_thread(self, step: Callable[[], T]) -> T:
        # Shielded: what was begun ends in its thread, whether or not somebody still waits for it.
        return await asyncio.shield(asyncio.wrap_future(self._executor.submit(step)))

    def _finish_inline(self) -> BlobInfo:
        body = b"".join(self._buffer)
        self._digests.update(body)
        self._over = True
        if self._sealer is not None:
            body = self._sealer.update(body) + self._sealer.finish()
        return self._info(datetime.now(UTC).replace(microsecond=0), inline=body)

    def _info(
        self, modified: datetime, *, blob_id: str | None = None, inline: bytes | None = None
    ) -> BlobInfo:
        return BlobInfo(
            size=self.received,
            md5=self._digests.md5(),
            modified=modified,
            id=blob_id,
            inline=inline,
            checksums=self._digests.checksums(),
            layout=self._sealer.layout if self._sealer else None,
        )

    # In the store's threads, one at a time.

    def _consume(self, chunks: list[bytes]) -> None:
        with self._lock:
            if not self._over:
                with self._failures_are_told():
                    self._append(chunks)

    def _append(self, chunks: list[bytes]) -> None:
        if self._fd is None:
            self._fd = self._open()
        files.check_room(self._fd, self._folders.reserve)
        for chunk in chunks:
            self._digests.update(chunk)
            files.write_all(self._fd, self._sealer.update(chunk) if self._sealer else chunk)

    def _open(self) -> int:
        """A new file; in another folder when the one that was chosen fails, for nothing is lost by that yet."""
        try:
            return files.create(self._place.temporary)
        except OSError:
            if not self._folders.several:
                raise
        self._folders.failed(self._folder, StoreUnavailable("no file can be made in it"))
        self._folder = self._folders.choose()
        self._place = self._place_in(self._folder)
        return files.create(self._place.temporary)

    def _publish(self, chunks: list[bytes]) -> BlobInfo:
        with self._lock:
            if self._over:
                raise RuntimeError("the writer is finished or aborted")
            try:
                with self._failures_are_told():
                    self._append(chunks)
                    assert self._fd is not None
                    if self._sealer is not None:
                        files.write_all(self._fd, self._sealer.finish())
                    modified = files.publish(self._fd, self._place.temporary, self._place.target)
            except BaseException:
                self._drop()
                raise
            self._close()
            return self._info(modified, blob_id=self._place.id)

    @contextmanager
    def _failures_are_told(self) -> Iterator[None]:
        try:
            with files.failures_are_typed():
                yield
        except StorageRefusal as e:
            self._folders.failed(self._folder, e)
            raise

    def _discard(self) -> None:
        with self._lock:
            if not self._over:
                self._drop()

    def _drop(self) -> None:
        was_open = self._fd is not None
        self._close()
        if was_open:
            with suppress(FileNotFoundError):
                self._place.temporary.unlink()

    def _close(self) -> None:
        self._over = True
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)
