"""How many requests this process has at one backend at a time: whose backend stalls holds up nobody else's, and of a
backend that tenants share none of them takes all."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from storage.s3.errors import BUSY, S3Error

AT_ONCE: Final = 128
PATIENCE: Final = 5.0
"""Seconds that a request waits for a place: as long as for a connection."""
_FOR_EACH_FREE: Final = 3
"""Places of a shared backend that a tenant may have for each one that it leaves free: three quarters where it is alone.

That some are always free is what lets a tenant in that comes late, also where those that came first keep theirs (slow
clients). The rule is the same for all, so tenants that want more than there is come to have equally many. It is known
from switches' buffers: Choudhury and Hahne, "Dynamic queue length thresholds", IEEE/ACM ToN 6(2), 1998.
"""


class Places:
    """One per process. A backend that nobody asks takes nothing."""

    def __init__(self, at_once: int = AT_ONCE, patience: float = PATIENCE) -> None:
        self._at_once, self._patience = at_once, patience
        self._of: dict[int, _Of] = {}

    @asynccontextmanager
    async def at(self, backend_id: int, tenant_id: int, *, shared: bool) -> AsyncIterator[None]:
        """Around a request for a tenant's bucket, its body and its answer. Raises SlowDown where no place becomes free.

        As many as there are places wait for one, shared in the same way; further ones are refused at once.
        """
        held = self._of.get(backend_id) or self._of.setdefault(backend_id, _Of(self._at_once, shared))
        try:
            await held.enter(tenant_id, self._patience)
            try:
                yield
            finally:
                held.leave(tenant_id)
        finally:
            if held.is_idle:
                self._of.pop(backend_id, None)


class _Room:
    """So many places, and how many of them each tenant has."""

    def __init__(self, places: int, shared: bool) -> None:
        self.free = places
        self.taken: Counter[int] = Counter()
        self._shared = shared

    def admits(self, tenant_id: int) -> bool:
        mine = self.taken[tenant_id]
        return mine < _FOR_EACH_FREE * self.free if self._shared else self.free > 0

    def take(self, tenant_id: int) -> None:
        self.free -= 1
        self.taken[tenant_id] += 1

    def give_back(self, tenant_id: int) -> None:
        self.free += 1
        self.taken[tenant_id] -= 1
        if not self.taken[tenant_id]:
            del self.taken[tenant_id]


class _Of:
    """One backend's: those that are there, and those that wait, each tenant's in their order."""

    def __init__(self, places: int, shared: bool) -> None:
        self._there, self._outside = _Room(places, shared), _Room(places, shared)
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}

    @property
    def is_idle(self) -> bool:
        return not self._there.taken and not self._outside.taken

    async def enter(self, tenant_id: int, patience: float) -> None:
        if tenant_id not in self._waiting and self._there.admits(tenant_id):
            self._there.take(tenant_id)
            return
        if not self._outside.admits(tenant_id):
            raise _busy()
        self._outside.take(tenant_id)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant_id, deque()).append(turn)
        try:
            async with asyncio.timeout(patience):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # a place was given while its taker went away
                self.leave(tenant_id)
            else:
                self._forget(tenant_id, turn)
            if isinstance(error, TimeoutError):
                raise _busy() from None
            raise
        finally:
            self._outside.give_back(tenant_id)

    def leave(self, tenant_id: int) -> None:
        """Give a place back, and what is free now to those who wait: who has fewest first."""
        self._there.give_back(tenant_id)
        while self._waiting:
            next_one = min(self._waiting, key=self._there.taken.__getitem__)
            if not self._there.admits(next_one):
                return  # nor then anybody who has more
            turn = self._waiting[next_one][0]
            self._forget(next_one, turn)
            if not turn.done():  # else its waiter is gone, and has yet to be told
                self._there.take(next_one)
                turn.set_result(None)

    def _forget(self, tenant_id: int, turn: asyncio.Future[None]) -> None:
        """A turn waits no longer; it may have been forgotten already."""
        turns = self._waiting.get(tenant_id)
        if turns and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[tenant_id]


def _busy() -> S3Error:
    return S3Error("SlowDown", BUSY, headers={"Retry-After": "5"})
