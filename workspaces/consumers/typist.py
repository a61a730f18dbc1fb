"""From a coroutine to a terminal that may not read for a long time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

from workspaces.providers import base

log = logging.getLogger(__name__)
MOST_BYTES, MOST_PIECES = 1 << 20, 10_000
Typed = bytes | tuple[int, int]
"""What is written, or columns and rows."""


class Typist:
    """Writes on a thread of its own what it is given, in order; what waits has a most.

    `lost` is called, on the event loop, where the terminal takes no more. Make it there.
    """

    def __init__(self, terminal: base.Terminal, lost: Callable[[], None], name: str) -> None:
        self._terminal, self._lost = terminal, lost
        self._loop = asyncio.get_running_loop()
        self._pieces: SimpleQueue[Typed | None] = SimpleQueue()
        self._waiting = 0
        threading.Thread(target=self._write, name=name, daemon=True).start()

    def take(self, piece: Typed) -> bool:
        """False where too much waits already."""
        self._waiting += _size(piece)
        if self._waiting > MOST_BYTES or self._pieces.qsize() >= MOST_PIECES:
            return False
        self._pieces.put(piece)
        return True

    def close(self) -> None:
        """Write nothing more than what waits; whoever made the terminal ends a write that blocks."""
        self._pieces.put(None)

    def _write(self) -> None:
        while (piece := self._pieces.get()) is not None:
            size = _size(piece)
            try:
                if isinstance(piece, bytes):
                    self._terminal.write(piece)
                else:
                    self._terminal.resize(*piece)
            except (base.ProviderError, OSError, ValueError) as error:
                log.info("a terminal takes no more: %s", error)
                self._tell(self._lost)
                return
            self._tell(self._written, size)

    def _written(self, size: int) -> None:
        self._waiting -= size

    def _tell(self, what: Callable[..., None], *args: int) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(what, *args)


def _size(piece: Typed) -> int:
    return len(piece) if isinstance(piece, bytes) else 0
