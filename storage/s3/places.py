"""How many requests this process has at one backend at a time: whose backend stalls holds up nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from storage.s3.errors import BUSY, S3Error

AT_ONCE: Final = 128
PATIENCE: Final = 5.0
"""Seconds that a request waits for a place: as long as for a connection."""


class Places:
    """One per process. A backend that nobody asks takes nothing."""

    def __init__(self, at_once: int = AT_ONCE, patience: float = PATIENCE) -> None:
        self._at_once, self._patience = at_once, patience
        self._of: dict[int, _Of] = {}

    @asynccontextmanager
    async def at(self, backend_id: int) -> AsyncIterator[None]:
        """Around a request, its body and its answer. Raises SlowDown where no place becomes free.

        As many as there are places wait for one; further ones are refused at once.
        """
        held = self._of.get(backend_id) or self._of.setdefault(backend_id, _Of(self._at_once))
        if held.here >= 2 * self._at_once:
            raise _busy()
        held.here += 1
        try:
            try:
                async with asyncio.timeout(self._patience):
                    await held.places.acquire()
            except TimeoutError:
                raise _busy() from None
            try:
                yield
            finally:
                held.places.release()
        finally:
            held.here -= 1
            if not held.here:
                del self._of[backend_id]


class _Of:
    """One backend's: `here` counts who has a place or waits for one."""

    def __init__(self, at_once: int) -> None:
        self.places, self.here = asyncio.Semaphore(at_once), 0


def _busy() -> S3Error:
    return S3Error("SlowDown", BUSY, headers={"Retry-After": "5"})
