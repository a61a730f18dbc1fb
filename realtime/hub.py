"""All live readers of this process: one feed per tenant that has any, and what holds for all of them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

from gateway.decision.database import Database
from gateway.errors import Invalid, RateLimited, Unavailable
from realtime import bell
from realtime.admission import Admitted
from realtime.database import DatabaseUnavailable
from realtime.feed import Feed
from realtime.guard import Guard, Renew
from realtime.log import EventLog
from realtime.reader import FAILED, SHUTDOWN, Bounds, Ending, Reader

log = logging.getLogger(__name__)
TICK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections the process takes, in all and for one tenant, and what each may leave waiting."""

    connections: int
    per_tenant: int
    reader: Bounds


class Hub:
    """Readers open and close here; `start` once, `stop` once."""

    def __init__(self, database: Database, valkey_url: str, limits: Limits, renew: Renew) -> None:
        self.limits = limits
        self.database = database
        self._valkey_url = valkey_url
        self._log = EventLog(database)
        self._guard = Guard(database, renew)
        self._feeds: dict[int, tuple[Feed, asyncio.Task[None]]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._places = 0
        self._by_tenant: Counter[int] = Counter()
        self._empty = asyncio.Event()
        self._stopping = False
        self._guests: set[Callable[[Ending], None]] = set()

    def start(self) -> None:
        for name, job in (
            ("bell", bell.listen(self._valkey_url, self._heard)),
            ("net", _every_tick(self._look_for_news)),
            ("guard", _every_tick(self._guard.check)),
            ("ticks", _every_tick(self._tick_readers)),
        ):
            self._tasks.append(asyncio.create_task(job, name=f"realtime-{name}"))

    async def stop(self, patience: float = 1.2) -> None:
        """Take no more connections, tell the open ones, wait for them to leave, and stop. May be called again."""
        self._stopping = True
        for reader in self._readers():
            reader.end(SHUTDOWN)
        for end in list(self._guests):
            end(SHUTDOWN)
        if self._places:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._empty.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.database.close()

    @contextmanager
    def place(self) -> Iterator[None]:
        """One connection of the process, also while it is being admitted. Raises Unavailable, RateLimited."""
        if self._stopping:
            raise Unavailable(SHUTDOWN.detail)
        if self._places >= self.limits.connections:
            raise RateLimited("This server has no more room for streams.", retry_after=5)
        self._places += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._places -= 1
            if not self._places:
                self._empty.set()

    @contextmanager
    def guest(self, end: Callable[[Ending], None]) -> Iterator[None]:
        """A connection that reads no events: `end` is called when the process stops."""
        self._guests.add(end)
        if self._stopping:
            end(SHUTDOWN)
        try:
            yield
        finally:
            self._guests.discard(end)

    @asynccontextmanager
    async def reader(
        self, admitted: Admitted, drop: Callable[[], None]
    ) -> AsyncIterator[tuple[Feed, Reader]]:
        """A reader from where the caller asked on. Raises RateLimited, Unavailable, Invalid (a bad position)."""
        tenant_id = admitted.holder.tenant_id
        if self._by_tenant[tenant_id] >= self.limits.per_tenant:
            raise RateLimited(f"The tenant has {self.limits.per_tenant} streams open already.", retry_after=5)
        self._by_tenant[tenant_id] += 1
        try:
            head = await self._head(tenant_id)
            position = head if admitted.last_event_id is None else admitted.last_event_id
            if position > head:
                message = "this id is ahead of the tenant's log"
                raise Invalid(f"Last-Event-ID: {message}.", errors={"Last-Event-ID": [message]})
            reader = Reader(admitted.wanted, position, self.limits.reader, drop)
            feed = self._feed(tenant_id, head)
            feed.readers.add(reader)
            self._guard.watch(admitted.holder, reader)
            if self._stopping:
                reader.end(SHUTDOWN)
            try:
                yield feed, reader
            finally:
                reader.close()
                self._guard.unwatch(admitted.holder, reader)
                feed.remove(reader)
                self._end_if_idle(feed)
        finally:
            self._by_tenant[tenant_id] -= 1
            if not self._by_tenant[tenant_id]:
                del self._by_tenant[tenant_id]

    def connections(self) -> dict[tuple[str, ...], float]:
        """How many are open; for a `Reading`."""
        return {(): float(self._places)}

    def room(self, tenant_id: int) -> int:
        """How many more connections the tenant may open here."""
        return max(0, self.limits.per_tenant - self._by_tenant[tenant_id])

    async def _head(self, tenant_id: int) -> int:
        try:
            return await self._log.head(tenant_id)
        except DatabaseUnavailable as error:
            log.warning("the event log cannot be read: %s", error)
            raise Unavailable("The database does not answer; try again.") from None

    def _feed(self, tenant_id: int, head: int) -> Feed:
        if tenant_id not in self._feeds:
            feed = Feed(tenant_id, head, self._log)
            task = asyncio.create_task(feed.run(), name=f"realtime-feed-{tenant_id}")
            task.add_done_callback(lambda done: self._ended(feed, done))
            self._feeds[tenant_id] = feed, task
        return self._feeds[tenant_id][0]

    def _end_if_idle(self, feed: Feed) -> None:
        running, task = self._feeds.get(feed.tenant_id, (None, None))
        if task is not None and running is feed and not feed.readers:
            del self._feeds[feed.tenant_id]
            task.cancel()

    def _ended(self, feed: Feed, task: asyncio.Task[None]) -> None:
        """A feed ends when its last reader leaves; anything else is a defect, which its readers must learn of."""
        if task.cancelled():
            return
        log.error("the feed of tenant %s failed", feed.tenant_id, exc_info=task.exception())
        del self._feeds[feed.tenant_id]
        for reader in feed.readers:
            reader.end(FAILED)

    def _heard(self, tenant_id: int) -> None:
        if found := self._feeds.get(tenant_id):
            found[0].wake()

    async def _look_for_news(self) -> None:
        """The net under the bell: one query for all tenants that have readers here."""
        if not self._feeds:
            return
        try:
            tenants = await self._log.news(
                {tenant_id: feed.position for tenant_id, (feed, _) in self._feeds.items()}
            )
        except DatabaseUnavailable as error:
            log.warning("the event log cannot be watched: %s", error)
            return
        for tenant_id in tenants:
            self._heard(tenant_id)

    async def _tick_readers(self) -> None:
        for reader in self._readers():
            reader.tick()

    def _readers(self) -> list[Reader]:
        return [reader for feed, _ in self._feeds.values() for reader in feed.readers]


async def _every_tick(job: Callable[[], Awaitable[None]]) -> None:
    """A defect in one round is logged and must not end the rounds."""
    while True:
        await asyncio.sleep(TICK_SECONDS)
        try:
            await job()
        except Exception:
            log.exception("a round of the live process failed")
