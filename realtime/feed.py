"""One tenant's live events in this process: read from the log once, handed to every reader."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator

from gateway.metrics.series import DELIVERY_SECONDS
from realtime.cloudevents import Rendered
from realtime.database import DatabaseUnavailable
from realtime.filters import Filter
from realtime.log import EventLog, Page
from realtime.reader import Reader

log = logging.getLogger(__name__)
RETRY_SECONDS = 0.5


class Feed:
    """`position`: every event up to it has been offered to the readers that are attached."""

    def __init__(self, tenant_id: int, position: int, events: EventLog) -> None:
        self.tenant_id = tenant_id
        self.position = position
        self.readers: set[Reader] = set()
        self._log = events
        self._attached: dict[Filter, set[Reader]] = {}
        self._news = asyncio.Event()
        self._news.set()  # the log may have grown since `position` was asked for

    def wake(self) -> None:
        """The log may have grown."""
        self._news.set()

    async def run(self) -> None:
        """Offer what is committed, in order, until cancelled. An outage of the database delays and loses nothing."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                page = await self._log.after(self.tenant_id, self.position)
            except DatabaseUnavailable as error:
                log.warning("the event log of tenant %s cannot be read: %s", self.tenant_id, error)
                self._news.set()
                await asyncio.sleep(RETRY_SECONDS)
                continue
            for event in page.events:
                self._offer(event)
                DELIVERY_SECONDS.observe(max(0.0, time.time() - event.time.timestamp()))
            if page.more:
                self._news.set()

    def _offer(self, event: Rendered) -> None:
        self.position = event.id
        for wanted, readers in self._attached.items():
            if wanted.matches(event.type):
                for reader in readers:
                    reader.offer(event)

    async def batches(self, reader: Reader) -> AsyncIterator[list[Rendered]]:
        """All events past the reader's position: first from the log, at the reader's own pace, then live.

        A batch is empty after a silence. Raises Ended.
        """
        while not self._attach(reader):
            page = await self._replay(reader)
            reader.check()
            if page is None:
                yield []
            else:
                reader.position = page.end
                if page.events:
                    yield page.events
        while True:
            yield await reader.take()

    def _attach(self, reader: Reader) -> bool:
        """Nothing may wait between the comparison and the entry, or an event could fall in between."""
        if reader.position < self.position:
            return False
        self._attached.setdefault(reader.wanted, set()).add(reader)
        return True

    async def _replay(self, reader: Reader) -> Page | None:
        try:
            return await self._log.between(self.tenant_id, reader.position, self.position, reader.wanted)
        except DatabaseUnavailable as error:
            log.warning("events of tenant %s cannot be replayed: %s", self.tenant_id, error)
            await asyncio.sleep(RETRY_SECONDS)
            return None

    def remove(self, reader: Reader) -> None:
        self.readers.discard(reader)
        group = self._attached.get(reader.wanted)
        if group is not None:
            group.discard(reader)
            if not group:
                del self._attached[reader.wanted]
