"""Pooled asyncpg connections for deciders, each with the role and tenant of its use."""

from contextlib import AbstractAsyncContextManager

import asyncpg


class DatabaseBusy(Exception):
    """No connection became free, or none could be made, in time. Answered as 503."""


class Database:
    """Two small pools: the wide role (all rows) and the app role (rows of one tenant).

    Statements outside a transaction commit by themselves; `async with conn.transaction():` as usual.
    Hold a connection for queries only, never across an outside call or a body.
    """

    def wide(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """A connection that sees every tenant's rows: snapshots, look-ups that end in a check."""
        raise NotImplementedError

    def tenant(self, tenant_id: int) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """A connection that sees and writes the rows of one tenant only."""
        raise NotImplementedError
