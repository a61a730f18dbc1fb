"""Which instances have changed, for whoever listens."""

from __future__ import annotations

import asyncio

_MOST_NEWS = 1000


class News:
    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[str]] = set()

    def listen(self) -> asyncio.Queue[str]:
        """Keys whose state changes from now on, "" when some were lost; to be given back to `leave`."""
        queue: asyncio.Queue[str] = asyncio.Queue(_MOST_NEWS)
        self._listeners.add(queue)
        return queue

    def leave(self, queue: asyncio.Queue[str]) -> None:
        self._listeners.discard(queue)

    def tell(self, key: str) -> None:
        """The state of an instance has changed. Who does not listen to so much is told that some were lost."""
        for queue in self._listeners:
            try:
                queue.put_nowait(key)
            except asyncio.QueueFull:
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait("")
