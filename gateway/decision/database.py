"""Pooled asyncpg connections for deciders, each with the role and tenant of its use.

Written for the hot path: no reset query when a connection comes back, and a tenant's next use gets, where
it can, the connection that already bears that tenant, so most uses cost no round trip of their own.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[Any]
else:
    Connection = asyncpg.Connection  # cannot be subscripted when it runs


# What asyncpg raises when the database goes away. InternalClientError: a statement on a connection that was just cut.
LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


POOL_TEXT = "Connections of the pools to the database, and callers that wait for one."
POOL_LABELS = ("pool", "state")


class DatabaseBusy(Exception):
    """No connection became free, or none could be made, in time. Answered as 503."""


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where the database is and as whom to log in; the roles are named after the login."""

    host: str
    port: int
    name: str
    user: str
    password: str

    @classmethod
    def from_django(cls, settings: Any) -> "DatabaseAddress":
        """The address in Django's settings."""
        default = settings.DATABASES["default"]
        return cls(
            host=default["HOST"] or "127.0.0.1",
            port=int(default["PORT"] or 5432),
            name=default["NAME"],
            user=default["USER"],
            password=default["PASSWORD"],
        )

    async def connect(self, role: str | None, *, patience: float = 5, **options: Any) -> Connection:
        """A connection in the given role (`app`, `wide`), or as the login without rights (None)."""
        parameters = {"application_name": "gatehouse-decision"}
        if role is not None:
            parameters["role"] = f"{self.user}_{role}"
        return await asyncpg.connect(
            host=self.host,
            port=self.port,
            database=self.name,
            user=self.user,
            password=self.password,
            timeout=patience,
            server_settings=parameters,
            **options,
        )


@dataclass(slots=True, eq=False)
class _Held:
    """A connection of a pool. `tenant` is what the server holds for the session; None is unknown or none."""

    conn: Connection
    tenant: int | None = None


class Pool:
    """At most `size` connections in one role, made when first needed, most recently used first."""

    def __init__(self, address: DatabaseAddress, role: str, *, size: int, patience: float = 5) -> None:
        self._address = address
        self._role = role
        self._size = size
        self._patience = patience
        self._count = 0
        self._idle: list[_Held] = []
        self._waiting: deque[asyncio.Future[_Held | None]] = deque()
        self._closed = False

    async def take(self, tenant: int | None = None) -> _Held:
        """A connection for one use, by preference one that bears the tenant. DatabaseBusy after a while."""
        while self._idle:
            held = self._pick(tenant)
            if not held.conn.is_closed():
                return held
            self._count -= 1
        if self._count >= self._size:
            waited = await self._wait()
            if waited is not None:
                return waited
        else:
            self._count += 1
        return await self._connect()

    def give_back(self, held: _Held) -> None:
        """End a use. A connection that is closed, or was left in a transaction, is not used again."""
        if not held.conn.is_closed() and held.conn.is_in_transaction():
            logger.error("a decider left its connection in a transaction; it is closed")
            held.conn.terminate()
        if self._closed or held.conn.is_closed():
            held.conn.terminate()
            self._free_place()
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(held)
                return
        self._idle.append(held)

    def usage(self) -> dict[str, int]:
        """How many connections are in use and idle, and how many callers wait for one."""
        idle = len(self._idle)
        return {"used": self._count - idle, "idle": idle, "waiting": len(self._waiting)}

    async def close(self) -> None:
        """Close what is idle; what is in use closes when it is given back."""
        self._closed = True
        for held in self._idle:
            with contextlib.suppress(Exception):
                await held.conn.close(timeout=2)
        self._idle.clear()

    def _pick(self, tenant: int | None) -> _Held:
        if tenant is not None:
            for index in range(len(self._idle) - 1, -1, -1):
                if self._idle[index].tenant == tenant:
                    return self._idle.pop(index)
        return self._idle.pop()

    async def _wait(self) -> _Held | None:
        waiter: asyncio.Future[_Held | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await asyncio.wait_for(waiter, self._patience)
        except TimeoutError as error:
            raise DatabaseBusy(f"all {self._size} {self._role} connections are in use") from error
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():  # it was just handed over
                held = waiter.result()
                if held is not None:
                    self.give_back(held)
                else:
                    self._free_place()
            raise

    async def _connect(self) -> _Held:
        try:
            return _Held(await self._address.connect(self._role, patience=self._patience, command_timeout=10))
        except LOST as error:
            self._free_place()
            raise DatabaseBusy(f"no {self._role} connection can be made: {error}") from error
        except BaseException:
            self._free_place()
            raise

    def _free_place(self) -> None:
        """A connection is gone: whoever waits longest may make another in its place."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._count -= 1


class Database:
    """Two small pools: the wide role (all rows) and the app role (rows of one tenant).

    Statements outside a transaction commit by themselves; `async with conn.transaction():` as usual.
    Hold a connection for queries only, never across an outside call or a body, and never set the role or
    `app.tenant` on it.
    """

    def __init__(self, address: DatabaseAddress, *, wide: int = 8, app: int = 8) -> None:
        self.address = address
        self._wide = Pool(address, "wide", size=wide)
        self._app = Pool(address, "app", size=app)

    def wide(self) -> AbstractAsyncContextManager[Connection]:
        """A connection that sees every tenant's rows: snapshots, look-ups that end in a check."""
        return self._use_wide()

    def tenant(self, tenant_id: int) -> AbstractAsyncContextManager[Connection]:
        """A connection that sees and writes the rows of one tenant only."""
        return self._use_tenant(tenant_id)

    def usage(self) -> dict[tuple[str, ...], float]:
        """Connections in use and idle, and callers that wait for one, by pool; for a `Reading` with POOL_LABELS."""
        return {
            (name, state): float(count)
            for name, pool in (("wide", self._wide), ("app", self._app))
            for state, count in pool.usage().items()
        }

    async def close(self) -> None:
        """Close both pools."""
        await self._wide.close()
        await self._app.close()

    @asynccontextmanager
    async def _use_wide(self) -> AsyncIterator[Connection]:
        held = await self._wide.take()
        try:
            yield held.conn
        except asyncpg.InternalClientError:
            held.conn.terminate()
            raise
        finally:
            self._wide.give_back(held)

    @asynccontextmanager
    async def _use_tenant(self, tenant_id: int) -> AsyncIterator[Connection]:
        held = await self._app.take(tenant_id)
        try:
            if held.tenant != tenant_id:
                # Outside any transaction, so that no rollback of the use can revert it; forgotten first,
                # so that a failure half-way cannot leave us believing the old tenant still holds.
                held.tenant = None
                await held.conn.execute("SELECT set_config('app.tenant', $1, false)", str(tenant_id))
                held.tenant = tenant_id
            yield held.conn
        except BaseException as error:
            held.tenant = None
            if isinstance(error, asyncpg.InternalClientError):
                held.conn.terminate()
            raise
        finally:
            self._app.give_back(held)
