"""Questions to the database about names that the snapshot does not hold, each asked once however many wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from gateway.decision.database import DatabaseBusy

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_AT_ONCE: Final = 4
_QUEUE: Final = 500


class Lookups(Generic[K, V]):
    """Few questions at a time: names that nobody knows come from strangers, and a flood of them must not become a
    flood of queries."""

    def __init__(self, ask: Callable[[K], Awaitable[V]]) -> None:
        self._ask = ask
        self._running: dict[K, asyncio.Task[V]] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, key: K) -> V:
        """The answer, from a question that began no earlier than the first of those who wait. Raises DatabaseBusy."""
        task = self._running.get(key)
        if task is None:
            if len(self._running) >= _QUEUE:
                raise DatabaseBusy(f"{_QUEUE} questions wait already")
            task = self._running[key] = asyncio.create_task(self._run(key))
            task.add_done_callback(lambda _: self._running.pop(key))
        return await asyncio.shield(task)

    async def _run(self, key: K) -> V:
        async with self._slots:
            return await self._ask(key)
