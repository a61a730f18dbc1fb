"""Configuration held in the process, so that a decision needs no query for what rarely changes.

A part is loaded whole at start, again when one of its topics is notified on the channel
`gatehouse_snapshot` (payload: the topic), and every 30 s as a net. Declare one beside its decider::

    BUCKETS = SnapshotPart("storage.buckets", topics={"storage.bucket"}, load=load_buckets)

and read it with `ctx.snapshot.get(BUCKETS)`.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Set
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from gateway.decision.database import LOST, Connection, Database

logger = logging.getLogger(__name__)

T = TypeVar("T")

CHANNEL = "gatehouse_snapshot"
"""`SELECT pg_notify('gatehouse_snapshot', '<topic>')`, in the transaction that changes the rows."""

REFRESH_SECONDS = 30.0
LEAST_PAUSE = 0.1
"""Between two loads of one part, so that a burst of changes or of unknown names costs few loads."""
BUSY_SHARE = 5
"""A part's loads take at most one part in five of the time where they are slow; one slow load alone delays none."""
RETRY_SECONDS = 1.0
REFRESH_PATIENCE = 10.0


@dataclass(frozen=True, eq=False)
class SnapshotPart(Generic[T]):
    """One kind of configuration.

    `load(conn)` gets an asyncpg connection in the wide role inside a read-only, repeatable-read
    transaction, and returns the part as a finished object that nobody changes afterwards.
    """

    name: str
    topics: Set[str]
    load: Callable[[Connection], Awaitable[T]]


class _Slot:
    """A part's value and the task that keeps it fresh."""

    def __init__(self, part: SnapshotPart[Any], db: Database) -> None:
        self.part = part
        self.value: Any = None
        self.loaded = asyncio.Event()
        self._db = db
        self._wake = asyncio.Event()
        self._waiter: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Load again as soon as may be."""
        self._wake.set()

    def next_load(self) -> asyncio.Future[None]:
        """Done when a load that begins after this call has ended, well or not."""
        if self._waiter is None:
            self._waiter = asyncio.get_running_loop().create_future()
        self._wake.set()
        return self._waiter

    async def run(self) -> None:
        """Load for ever: when woken, and every REFRESH_SECONDS."""
        loop = asyncio.get_running_loop()
        took = 0.0
        while True:
            self._wake.clear()
            waiter, self._waiter = self._waiter, None
            began = loop.time()
            pause = RETRY_SECONDS
            try:
                self.value = await self._load()
                self.loaded.set()
                took, before = loop.time() - began, took
                pause = max(LEAST_PAUSE, min(took, before) * BUSY_SHARE)
            except Exception:
                logger.exception("snapshot part %s keeps its old state: loading it failed", self.part.name)
                self._wake.set()
            finally:
                if waiter is not None and not waiter.done():
                    waiter.set_result(None)
            await asyncio.sleep(pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_SECONDS):
                    await self._wake.wait()

    async def _load(self) -> Any:
        async with (
            self._db.wide() as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            return await self.part.load(conn)


class Snapshot:
    """The loaded parts of a process, kept fresh between `start` and `close`."""

    def __init__(self, parts: Iterable[SnapshotPart[Any]], db: Database) -> None:
        self._db = db
        self._slots = {part.name: _Slot(part, db) for part in parts}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def ready(self) -> bool:
        """Whether every part has been loaded once."""
        return all(slot.loaded.is_set() for slot in self._slots.values())

    def get(self, part: SnapshotPart[T]) -> T:
        """The part as last loaded. Never waits; KeyError when the part was not registered."""
        return cast("T", self._slots[part.name].value)

    async def refresh(self, part: SnapshotPart[T]) -> T:
        """The part loaded no earlier than this call, for a name that `get` does not hold.

        Concurrent calls share one load and loads keep LEAST_PAUSE apart, so a flood of unknown names
        cannot become a flood of queries: it waits. When loading fails or takes longer than
        REFRESH_PATIENCE, the present value is returned.
        """
        slot = self._slots[part.name]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(slot.next_load()), REFRESH_PATIENCE)
        return cast("T", slot.value)

    async def start(self, patience: float = 10) -> None:
        """Listen and load. Returns when every part is there, or after `patience` seconds all the same."""
        if self._slots:
            self._tasks.append(asyncio.create_task(self._listen(), name="snapshot listener"))
        for name, slot in self._slots.items():
            self._tasks.append(asyncio.create_task(slot.run(), name=f"snapshot {name}"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                for slot in self._slots.values():
                    await slot.loaded.wait()

    async def close(self) -> None:
        """Stop listening and loading."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the listener's connection closes its socket in the loop's next turn
        self._tasks.clear()

    def _notified(self, _conn: Any, _pid: int, _channel: str, topic: object) -> None:
        for slot in self._slots.values():
            if topic in slot.part.topics:
                slot.wake()

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except Exception as error:  # whatever it was: the process must go on listening
                unknown = not isinstance(error, LOST)
                logger.warning("the snapshot listener will reconnect: %s", error, exc_info=unknown)
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen_once(self) -> None:
        conn = await self._db.address.connect(None)
        try:
            await conn.add_listener(CHANNEL, self._notified)
            for slot in self._slots.values():
                slot.wake()  # whatever was notified while nobody listened
            while True:
                await asyncio.sleep(REFRESH_SECONDS)
                await conn.execute("SELECT 1", timeout=5)  # a silent peer may be a dead one
        finally:
            conn.terminate()
