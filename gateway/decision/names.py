"""Host names that this process sends requests to: looked up in threads of their own, of which one asker takes few.

The system's resolver waits for a silent name server ten seconds and more and cannot be called off, and the event loop's
own look-ups (libuv's two threads, or the default executor) are everybody's.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any, Final
from weakref import WeakValueDictionary

from aiohttp.abc import AbstractResolver

from gateway.outside import RESOLVE_SECONDS, Pinned, resolved

Askers = tuple[tuple[Hashable, int], ...]
"""For whom a name is looked up, each with how many it may have looked up at a time; the narrowest first."""

_THREADS: Final = 128
_KEEP_SECONDS: Final = 30.0
_KEEP_AT_MOST: Final = 1024


class Names(AbstractResolver):
    """One per process. What was found is kept for 30 seconds, what was not is not kept."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="names")
        self._kept: dict[str, tuple[float, Sequence[str]]] = {}
        self._running: dict[tuple[str, Askers], asyncio.Task[Sequence[str]]] = {}
        self._places: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()

    async def find(self, host: str, askers: Askers = ()) -> Sequence[str]:
        """The addresses of a name, or the address given; none where there is none within 3 seconds.

        However many wait for a name, its askers look it up once. They keep the place until the resolver is done, which
        may be long after nobody waits any more.
        """
        if _is_address(host):
            return (host,)
        host = host.lower()  # as aiohttp asks
        until, found = self._kept.get(host, (0.0, ()))
        if until > time.monotonic():
            return found
        task = self._running.get((host, askers))
        if task is None:
            task = self._running[host, askers] = asyncio.create_task(self._look_up(host, askers))
            task.add_done_callback(lambda _: self._running.pop((host, askers), None))
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                return await asyncio.shield(task)
        except TimeoutError:
            return ()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[Any]:
        """As aiohttp asks. Who has a bound calls `find` before, whose answer this is then."""
        found = await self.find(host)
        if not found:
            raise OSError(f"{host} does not resolve")
        return await Pinned(found).resolve(host, port, family)

    async def close(self) -> None:
        for task in list(self._running.values()):
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _look_up(self, host: str, askers: Askers) -> Sequence[str]:
        async with AsyncExitStack() as taken:
            try:
                async with asyncio.timeout(RESOLVE_SECONDS):
                    for asker, most in askers:
                        await taken.enter_async_context(self._place(asker, most))
            except TimeoutError:
                return ()
            found = await asyncio.get_running_loop().run_in_executor(self._threads, resolved, host)
        if found:
            if len(self._kept) >= _KEEP_AT_MOST:
                self._kept.clear()
            self._kept[host] = (time.monotonic() + _KEEP_SECONDS, found)
        return found

    def _place(self, asker: Hashable, most: int) -> asyncio.Semaphore:
        found = self._places.get(asker)
        if found is None:
            found = self._places[asker] = asyncio.Semaphore(most)
        return found


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
