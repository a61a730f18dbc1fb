"""One connection's place in its tenant's log, and what waits to be sent to it, which is bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from realtime.cloudevents import Rendered
from realtime.filters import Filter

CHUNK_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the platform ends a connection. `grace`: seconds in which the client may still be told."""

    code: str
    detail: str
    status: int
    close_code: int
    grace: float = 0.5


FAILED = Ending("internal_error", "Something went wrong here; connect again.", 500, 1011)
SHUTDOWN = Ending("shutting_down", "This process restarts; connect again.", 503, 1001, grace=1.0)


class Ended(Exception):
    """The connection is to be ended for this reason."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.code)
        self.ending = ending


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a reader may leave waiting, how long one send may block, and after how long a silence it hears of us."""

    events: int
    bytes: int
    send_seconds: float
    heartbeat_seconds: float


class Reader:
    """`position`: every event up to it that passes the filter was handed out by `take` or waits for it.

    `drop` ends the connection without a word, where the client does not even take the last one.
    """

    def __init__(self, wanted: Filter, position: int, bounds: Bounds, drop: Callable[[], None]) -> None:
        self.wanted = wanted
        self.position = position
        self.ending: Ending | None = None
        self._dropped = asyncio.Event()
        self._bounds = bounds
        self._drop = drop
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Rendered] = deque()
        self._bytes = 0
        self._asleep: asyncio.Future[None] | None = None
        self._heard_at = self._loop.time()
        self._one_send = asyncio.Lock()
        self._sending_since: float | None = None
        self._dropping: asyncio.TimerHandle | None = None

    def offer(self, event: Rendered) -> None:
        """Queue an event, once. Never waits: with a full queue, the connection ends."""
        if event.id <= self.position or self.ending:
            return
        if len(self._waiting) >= self._bounds.events or self._bytes + event.size > self._bounds.bytes:
            self.end(self._too_slow(f"more than {len(self._waiting)} events wait for it"))
            return
        self.position = event.id
        self._waiting.append(event)
        self._bytes += event.size
        self._wake()

    async def take(self) -> list[Rendered]:
        """What waits, up to a chunk; an empty list after a silence. Raises Ended."""
        if not self._waiting and self.ending is None:
            self._asleep = self._loop.create_future()
            await self._asleep
        self.check()
        self._heard_at = self._loop.time()
        taken, size = [], 0
        while self._waiting and size < CHUNK_BYTES:
            event = self._waiting.popleft()
            taken.append(event)
            size += event.size
        self._bytes -= size
        return taken

    def check(self) -> None:
        """Raises Ended where the connection is to end."""
        if self.ending is not None:
            raise Ended(self.ending)

    async def send(self, sending: Awaitable[None]) -> None:
        """Await a send, one at a time, and let `tick` see how long it blocks."""
        async with self._one_send:
            self._sending_since = self._loop.time()
            await sending
            self._sending_since = None

    def tick(self) -> None:
        """End the connection where a send has blocked for too long; wake it for a heartbeat. Cheap, called often."""
        now = self._loop.time()
        if self._sending_since is not None:
            if now - self._sending_since >= self._bounds.send_seconds:
                self.end(self._too_slow(f"it took nothing for {self._bounds.send_seconds:g} s"))
                self._drop_now()
        elif now - self._heard_at >= self._bounds.heartbeat_seconds:
            self._wake()

    def end(self, ending: Ending) -> None:
        """Ask the connection to end; the first reason counts. What waits is forgotten, the log has it."""
        if self.ending is None:
            self.ending = ending
            self._waiting.clear()
            self._bytes = 0
            self._wake()
        self._drop_within(ending.grace)

    def close(self) -> None:
        """The connection is gone."""
        if self._dropping is not None:
            self._dropping.cancel()

    def _wake(self) -> None:
        if self._asleep is not None and not self._asleep.done():
            self._asleep.set_result(None)

    def _drop_within(self, seconds: float) -> None:
        if self._dropping is not None:
            if self._dropping.when() <= self._loop.time() + seconds:
                return
            self._dropping.cancel()
        self._dropping = self._loop.call_later(seconds, self._drop_now)

    async def until_dropped(self) -> None:
        await self._dropped.wait()

    def _drop_now(self) -> None:
        self._drop()
        self._dropped.set()

    def _too_slow(self, why: str) -> Ending:
        detail = (
            f"This reader is too slow: {why}. Connect again with the last event's id to go on from there."
        )
        return Ending("slow_reader", detail, 503, 1013, grace=self._bounds.send_seconds)
