"""Group commit: what waits for the same tenant at the same time goes into one transaction."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

import asyncpg

I = TypeVar("I")  # noqa: E741 - an item
R = TypeVar("R")

LIMIT = 256

# The database refused a value: only the item that holds it may fail.
_BAD_ITEM = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)


class Batcher(Generic[I, R]):
    """Runs `commit(tenant_id, items)` for what `submit` gathers; one batch of a tenant at a time, no delay added.

    While a batch commits, the next one gathers: under load batches grow by themselves, and a lone item goes at
    once. Items with the same `conflict` value never share a batch and keep their order.
    """

    def __init__(
        self,
        commit: Callable[[int, Sequence[I]], Awaitable[Sequence[R]]],
        conflict: Callable[[I], Hashable],
    ) -> None:
        self._commit, self._conflict = commit, conflict
        self._waiting: dict[int, deque[tuple[I, asyncio.Future[R]]]] = {}
        self._running: dict[int, asyncio.Task[None]] = {}

    async def submit(self, tenant_id: int, item: I) -> R:
        """The item's result. A caller that is cancelled leaves the item to be committed all the same."""
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant_id, deque()).append((item, done))
        if tenant_id not in self._running:
            self._running[tenant_id] = asyncio.create_task(self._drain(tenant_id))
        return await done

    async def close(self) -> None:
        """Wait until nothing is under way."""
        while self._running:
            await asyncio.wait(list(self._running.values()))

    async def _drain(self, tenant_id: int) -> None:
        waiting = self._waiting[tenant_id]
        try:
            while waiting:
                await self._run(tenant_id, self._next_batch(waiting))
        finally:
            del self._running[tenant_id], self._waiting[tenant_id]

    def _next_batch(self, waiting: deque[tuple[I, asyncio.Future[R]]]) -> list[tuple[I, asyncio.Future[R]]]:
        batch: list[tuple[I, asyncio.Future[R]]] = []
        taken: set[Hashable] = set()
        while waiting and len(batch) < LIMIT:
            conflict = self._conflict(waiting[0][0])
            if conflict in taken:
                break
            taken.add(conflict)
            batch.append(waiting.popleft())
        return batch

    async def _run(self, tenant_id: int, batch: list[tuple[I, asyncio.Future[R]]]) -> None:
        try:
            results = await self._commit(tenant_id, [item for item, _ in batch])
        except _BAD_ITEM as e:
            if len(batch) == 1:
                _fail(batch, e)
            else:
                for each in batch:
                    await self._run(tenant_id, [each])
        except Exception as e:
            _fail(batch, e)
        except BaseException as e:
            _fail(batch, RuntimeError("the process is stopping"))
            raise e
        else:
            for (_, done), result in zip(batch, results, strict=True):
                if not done.done():
                    done.set_result(result)


def _fail(batch: Sequence[tuple[I, asyncio.Future[R]]], error: Exception) -> None:
    for _, done in batch:
        if not done.done():
            done.set_exception(error)
