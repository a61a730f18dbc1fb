"""The threads that services' verbs run in.

Most ask nobody but our database, and share two. What asks a bucket's backend may stall for as long as that one's time
limits allow, so it has threads of its own, of which one tenant and one backend take few: whoever has a backend that
stalls holds up nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from storage.s3.errors import S3Error
from storage.services import far

T = TypeVar("T")

PATIENCE: Final = 10.0
"""Seconds that a verb waits for a place; more would only be known to be late."""
_MOST, _MOST_OF_ONE = 8, 2
_threads: Final = ThreadPoolExecutor(2, thread_name_prefix="s3-verbs")
_far: Final = ThreadPoolExecutor(_MOST, thread_name_prefix="s3-backends")
_places: Final[WeakValueDictionary[tuple[str, int], asyncio.Semaphore]] = WeakValueDictionary()
_running: Final[set[asyncio.Task[object]]] = set()


async def run(work: Callable[[], T]) -> T:
    """Run what asks our database alone."""
    return await asyncio.get_running_loop().run_in_executor(_threads, work)


async def run_far(work: Callable[[], T], tenant_id: int, backend_id: int) -> T:
    """Run what asks a backend as well. Raises ServiceUnavailable where no place is free in time."""
    task = asyncio.create_task(_run_far(work, tenant_id, backend_id))
    _running.add(task)
    task.add_done_callback(_running.discard)
    # Whoever leaves does not stop the thread, so the place stays taken until it is done.
    return await asyncio.shield(task)


async def _run_far(work: Callable[[], T], tenant_id: int, backend_id: int) -> T:
    async with AsyncExitStack() as taken:
        try:
            async with asyncio.timeout(PATIENCE):
                await taken.enter_async_context(_place("tenant", tenant_id, _MOST_OF_ONE))
                await taken.enter_async_context(_place("backend", backend_id, _MOST_OF_ONE))
                await taken.enter_async_context(_place("all", 0, _MOST))
        except TimeoutError:
            raise S3Error(
                "ServiceUnavailable",
                "The bucket's backend is slow; try again.",
                headers={"Retry-After": "10"},
            ) from None
        return await asyncio.get_running_loop().run_in_executor(_far, _bounded, work)


def _bounded(work: Callable[[], T]) -> T:
    with far.bounded():
        return work()


def _place(kind: str, which: int, most: int) -> asyncio.Semaphore:
    found = _places.get((kind, which))
    if found is None:
        found = _places[kind, which] = asyncio.Semaphore(most)
    return found
