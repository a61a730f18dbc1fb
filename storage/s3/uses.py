"""When access keys were last used: remembered, and written together once in a while."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Final

from gateway.decision.database import LOST, Database, DatabaseBusy

logger = logging.getLogger(__name__)

EVERY_SECONDS: Final = 30.0

_WRITE: Final = """
UPDATE storage_accesskey k SET last_used_at = u.at
FROM unnest($1::text[], $2::timestamptz[]) AS u(id, at)
WHERE k.access_key_id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.at)
"""


class Uses:
    """One per process. A request costs an entry in memory; what the last while saw is lost with the process."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._at: dict[str, datetime] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(self, access_key_id: str) -> None:
        """Note a use now; it is written within EVERY_SECONDS."""
        if access_key_id in self._at:
            return
        self._at[access_key_id] = datetime.now(UTC)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write_later())

    async def _write_later(self) -> None:
        await asyncio.sleep(EVERY_SECONDS)
        noted, self._at = self._at, {}
        try:
            async with self._db.wide() as conn:
                await conn.execute(_WRITE, list(noted), list(noted.values()))
        except (*LOST, DatabaseBusy) as error:
            logger.warning("the last use of %d access keys is not written: %s", len(noted), error)
