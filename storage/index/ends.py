"""What became of journalled writes, told to the database also where it was away for a moment.

An intent that nobody ends, of a process that is there, is taken for one that is still under way: it would hold up
others of its key for a day.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final
from uuid import UUID

from gateway.decision.database import LOST, DatabaseBusy

from .types import Intent

if TYPE_CHECKING:
    from gateway.decision.database import Database

log = logging.getLogger(__name__)

PAUSE: Final = 2.0


class Ends:
    """Make it within the running event loop."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._left: dict[Intent, str] = {}
        self._telling: asyncio.Task[None] | None = None

    async def tell(self, intent: Intent, statement: str) -> None:
        """Run `statement` on the intent's tenant and id: now, or where the database is away once it is back."""
        try:
            await self._run(intent, statement)
        except (DatabaseBusy, *LOST) as error:
            log.warning("the end of write intent %s will be told later: %s", intent.id, error)
            self.tell_later(intent, statement)

    def tell_later(self, intent: Intent, statement: str) -> None:
        """The same in PAUSE seconds, without being waited for: also for who is cancelled."""
        self._left[intent] = statement
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell_what_is_left())

    async def close(self) -> None:
        """Leave what could not be told: that this process is gone tells it."""
        if self._telling is not None:
            self._telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._telling

    async def _tell_what_is_left(self) -> None:
        while self._left:
            await asyncio.sleep(PAUSE)
            with contextlib.suppress(DatabaseBusy, *LOST):
                for intent, statement in list(self._left.items()):
                    await self._run(intent, statement)
                    del self._left[intent]

    async def _run(self, intent: Intent, statement: str) -> None:
        async with self._db.tenant(intent.tenant_id) as conn:
            await conn.execute(statement, intent.tenant_id, UUID(intent.id))
