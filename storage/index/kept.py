"""Object rows kept in memory, as reads and commits go past them: `rows` has them, `lease` says whether they hold."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import asyncpg

from gateway.decision.database import DatabaseBusy
from storage.errors import StorageRefusal

from .lease import Lease
from .rows import RowKey, Rows
from .types import ObjectRow

if TYPE_CHECKING:
    from gateway.decision.database import Database


class Kept:
    """Make it within the running event loop. `limit` is how many bytes of rows may be kept; 0 keeps none."""

    def __init__(self, db: Database, limit: int) -> None:
        self.rows = Rows(limit)
        self.lease = Lease(db, self.rows.forget_all, keeps=limit > 0)

    async def close(self) -> None:
        await self.lease.close()

    async def read(
        self, name: RowKey, from_database: Callable[[], Awaitable[ObjectRow | None]]
    ) -> ObjectRow | None:
        """The row from memory, or as it is in the database."""
        if not self.lease.keeping:
            return await from_database()
        kept = self.rows.get(name)
        if kept is not None:
            return kept
        reading = self.rows.begin_read(name)
        row = None
        try:
            row = await from_database()
        finally:
            self.rows.end_read(name, reading, row)
        return row

    @contextlib.asynccontextmanager
    async def writing(self, names: Sequence[RowKey]) -> AsyncIterator[None]:
        """Around a commit: what it changes is kept neither by another process nor, after it, by this one."""
        await self.lease.before_write()
        self.rows.forget(names)
        try:
            yield
        except asyncpg.PostgresConnectionError:
            self.lease.distrust()  # as for any other loss of the answer
            raise
        except (StorageRefusal, asyncpg.PostgresError, DatabaseBusy):
            raise  # the database said no
        except BaseException:
            self.lease.distrust()
            raise
        finally:
            self.rows.forget(names)
