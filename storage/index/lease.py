"""Who may keep object rows in memory: one process, and only while nobody else writes.

An advisory lock of the database decides. Every process that commits object rows holds it shared: a decision process
for its life, others for their transaction (`storage.services.rows`). To keep rows a process must hold it exclusively
on top, so it is alone. It looks ten times a second whether somebody waits; then it forgets what it keeps and gives
the exclusive lock up, and the other's write goes on. So no write is acknowledged while a row that it changes is kept
elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.decision.database import LOST, DatabaseBusy

if TYPE_CHECKING:
    from gateway.decision.database import Connection, Database

log = logging.getLogger(__name__)

LOCK = (7163, 1)
# Each process holds (PROCESS, its number) while it is there, so that others see which are (storage.services.intents).
PROCESS = 7164

POLL = 0.1
# A keeper that could not look for so long (a stalled process, a silent network) must not trust what it keeps.
TRUST = 1.0
# How long others are left to write before a process tries to be alone (again).
PAUSE = 2.0
PATIENCE = 5.0
# After this a statement whose connection was lost has ended on the server too.
UNKNOWN_LASTS = 60.0

HOLD = "SELECT pg_advisory_lock_shared($1, $2)"
TRY_ALONE = "SELECT pg_try_advisory_lock($1, $2)"
NOT_ALONE = "SELECT pg_advisory_unlock($1, $2)"
SOMEBODY_WAITS = """
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid = $1 AND objid = $2 AND objsubid = 2 AND NOT granted
)
"""


class Lease:
    """This process's part in the lock, on a connection of its own. `forget` drops everything that is kept."""

    def __init__(self, db: Database, forget: Callable[[], None], *, keeps: bool) -> None:
        self._db, self._forget, self._keeps = db, forget, keeps
        self._may_write = asyncio.Event()
        self._trusted_until = self._untrusted_until = 0.0
        self._loop = asyncio.get_running_loop()
        self.process = 1 + secrets.randbelow((1 << 31) - 1)
        """This process's number, another after each start."""
        self._task = self._loop.create_task(self._run())

    @property
    def keeping(self) -> bool:
        """Whether what is kept may be believed, and more be kept, at this moment."""
        return self._trusted_until > self._loop.time() > self._untrusted_until

    async def before_write(self) -> None:
        """Wait until a write of this process cannot go past another's memory; nearly always at once.

        Raises DatabaseBusy when that lasts.
        """
        if self._may_write.is_set():
            return
        try:
            await asyncio.wait_for(self._may_write.wait(), PATIENCE)
        except TimeoutError:
            raise DatabaseBusy("another process does not let go of the object rows it keeps") from None

    def distrust(self) -> None:
        """A write's outcome is unknown, and it may yet be done: keep nothing until that is over."""
        self._untrusted_until = self._loop.time() + UNKNOWN_LASTS
        self._forget()

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            try:
                conn = await self._db.address.connect("app", command_timeout=None)
                conn.add_termination_listener(lambda _: self._lost())
                try:
                    await self._take_part(conn)
                finally:
                    self._lost()
                    conn.terminate()
            except Exception as e:  # whatever it was: without this task nothing is ever written again
                log.warning("the lock on object rows is lost: %s", e, exc_info=not isinstance(e, LOST))
                await asyncio.sleep(PAUSE / 2)

    async def _take_part(self, conn: Connection) -> None:
        await conn.execute(HOLD, PROCESS, self.process)
        await conn.execute(HOLD, *LOCK)
        self._may_write.set()
        while True:
            if not self._keeps:
                await conn.fetchval("SELECT 1")  # a connection that died holds no lock
            elif await conn.fetchval(TRY_ALONE, *LOCK):
                await self._keep(conn)
                await conn.execute(NOT_ALONE, *LOCK)
            await asyncio.sleep(PAUSE)

    async def _keep(self, conn: Connection) -> None:
        """Keep rows until somebody waits."""
        while True:
            asked_at = self._loop.time()
            async with asyncio.timeout(TRUST):  # wait_for may swallow the cancellation that `close` waits for
                somebody_waits = await conn.fetchval(SOMEBODY_WAITS, *LOCK)
            if somebody_waits:
                self._trusted_until = 0.0
                self._forget()
                return
            self._trusted_until = asked_at + TRUST
            await asyncio.sleep(POLL)

    def _lost(self) -> None:
        self._may_write.clear()
        self._trusted_until = 0.0
        self._forget()
