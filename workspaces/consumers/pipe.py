"""From a thread that blocks to a coroutine, at the coroutine's pace."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterable

log = logging.getLogger(__name__)
MOST_BYTES = 256 << 10


class Pipe:
    """What `source` yields, read on a thread of its own; at most MOST_BYTES and one piece wait to be taken.

    Closing it does not end a read that blocks: whoever made the source does that. Make it on the event loop.
    """

    def __init__(self, source: Iterable[bytes], name: str) -> None:
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._room = threading.Condition()
        self._pieces: list[bytes] = []
        self._size = 0
        self._ended = False
        self._failure: Exception | None = None
        threading.Thread(target=self._read, name=name, daemon=True).start()

    async def take(self) -> bytes:
        """All that waits, at least one byte; nothing at the source's end. Raises what the source raised."""
        while True:
            with self._room:
                if self._pieces:
                    taken = b"".join(self._pieces)
                    self._pieces.clear()
                    self._size = 0
                    self._room.notify()
                    return taken
                if self._ended:
                    if self._failure is not None:
                        raise self._failure
                    return b""
                self._news.clear()
            await self._news.wait()

    def close(self) -> None:
        """Take nothing more."""
        with self._room:
            self._ended = True
            self._room.notify()

    def _read(self) -> None:
        try:
            for piece in self._source:
                with self._room:
                    self._room.wait_for(lambda: self._size < MOST_BYTES or self._ended)
                    if self._ended:
                        return
                    self._pieces.append(piece)
                    self._size += len(piece)
                self._tell()
        except Exception as error:
            log.debug("a source of bytes failed", exc_info=error)
            self._failure = error
        finally:
            self.close()
            self._tell()

    def _tell(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._news.set)
