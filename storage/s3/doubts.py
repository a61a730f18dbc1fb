"""Backends that did not answer a request as they should: their connection is tested soon, and not only by the hour."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from gateway.decision.database import LOST, Database, DatabaseBusy

log = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 1.0

# At most one test a minute of each, whoever doubts it; the sweep of connections starts it.
_WRITE: Final = """
UPDATE storage_backend SET next_check_at = greatest(now(), checked_at + interval '1 minute')
WHERE id = $1 AND next_check_at > greatest(now(), checked_at + interval '1 minute')
"""
# What a backend says of our key to it, or of the clock we sign by.
_OF_OUR_KEY: Final = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    }
)


def is_of_our_key(status: int, code: str) -> bool:
    """Whether a refusal is about how we are known there. Where nobody saw the code, a 403 may be."""
    return code in _OF_OUR_KEY or (status in (401, 403) and not code)


class Doubts:
    """One per process. What cannot be written is doubted again by the next request."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._noted: dict[int, float] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def note(self, backend_id: int) -> None:
        """Have the backend's connection tested soon."""
        now = time.monotonic()
        if now - self._noted.get(backend_id, -PAUSE_SECONDS) < PAUSE_SECONDS:
            return
        self._noted[backend_id] = now
        task = asyncio.get_running_loop().create_task(self._write(backend_id))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, backend_id: int) -> None:
        try:
            async with self._db.wide() as conn:
                await conn.execute(_WRITE, backend_id)
        except (*LOST, DatabaseBusy) as error:
            log.warning("backend %s is not tested for now: %s", backend_id, error)
