"""The WebSocket of a terminal. Binary messages are its bytes, both ways; text messages are JSON (docs/services.md)."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import orjson
from django.conf import settings

from gateway.errors import DomainError, Invalid, RateLimited
from gateway.metrics.series import REQUESTS
from realtime import lifespan, wire
from realtime.reader import Ending
from realtime.websocket import last_words, refuse
from realtime.wire import Receive, Scope, Send
from workspaces.providers import base
from workspaces.services import terminals

from . import admission, guards
from .connection import GONE, Admitted, Connection
from .pipe import Pipe
from .typist import Typed, Typist

log = logging.getLogger(__name__)
ROUTE = "/api/v1/{kind}/{id}/terminal"
MOST_OPEN = 200
MOST_TEXT = 1024
USED_SECONDS = 60.0
SHELL_ENDED = Ending("shell_ended", "The shell has ended.", 200, 1000)
LOST = Ending("terminal_lost", "The terminal was lost.", 503, 1011)
IDLE = Ending("idle", "Nobody typed for a long time.", 408, 1000)
TOO_LONG = Ending("time_limit", "A terminal is open for so long at most.", 408, 1000)
FLOOD = Ending("input_not_read", "More was sent than the shell reads.", 413, 1009)
VIOLATION = Ending("unexpected_message", "Text messages are resize and ping, in JSON.", 400, 1008)

# Opening and closing take a while; reading and writing may block for ever, in threads of their own.
_threads = ThreadPoolExecutor(8, thread_name_prefix="terminal")
_open: Counter[int] = Counter()


async def terminal_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of one terminal."""
    wire.adopt_request_id(scope)
    if (await receive())["type"] != "websocket.connect":
        return
    async with AsyncExitStack() as stack:
        try:
            hub = lifespan.hub()
            stack.enter_context(hub.place())
            admitted = await lifespan.on_thread(admission.admit, scope, "terminal")
            stack.enter_context(_place(admitted.holder.user_id))
            columns, rows = _size(admitted.query)
            terminal = await _on_thread(terminals.open_terminal, admitted.instance, columns, rows)
            stack.push_async_callback(_on_thread, terminals.end, terminal)
            await lifespan.on_thread(_opened, admitted)
        except Exception as raised:
            await refuse(scope, send, wire.failure(raised), ROUTE)
            return
        connection = Connection(admitted, send, needs_running=True)
        stack.enter_context(hub.guest(connection.end))
        stack.enter_context(guards.guard().watching(connection))
        REQUESTS.labels(ROUTE, "GET", 101).inc()
        await _Session(connection, terminal).run(receive)


@contextmanager
def _place(user_id: int) -> Iterator[None]:
    """Raises RateLimited where the user or everybody has too many open here."""
    most = settings.TERMINALS_PER_USER
    if _open[user_id] >= most:
        raise RateLimited(f"You have {most} terminals open already.", retry_after=5)
    if _open.total() >= MOST_OPEN:
        raise RateLimited("This server has no more room for terminals.", retry_after=5)
    _open[user_id] += 1
    try:
        yield
    finally:
        _open[user_id] -= 1
        if not _open[user_id]:
            del _open[user_id]


def _size(query: dict[str, str]) -> tuple[int, int]:
    """Columns and rows that the query names. Raises Invalid."""
    found = []
    for name, default in (("columns", "80"), ("rows", "24")):
        given = query.get(name, default)
        if not (given.isascii() and given.isdigit() and len(given) < 5):
            raise Invalid(f"{name} is not a whole number.", errors={name: ["A whole number."]})
        found.append(int(given))
    return found[0], found[1]


def _opened(admitted: Admitted) -> None:
    terminals.opened(admitted.instance, actor=admitted.caller)


class _Session:
    def __init__(self, connection: Connection, terminal: base.Terminal) -> None:
        self._connection, self._terminal = connection, terminal
        self._loop = asyncio.get_running_loop()
        self._began = self._typed = self._loop.time()
        self._told = float("-inf")
        key = connection.admitted.instance.key
        self._input = Typist(terminal, lambda: connection.end(LOST), f"typist-{key}")
        self._output = Pipe(iter(terminal.read, b""), f"terminal-{key}")

    async def run(self, receive: Receive) -> None:
        """Until either side, a limit or the guard ends it."""
        connection, ending = self._connection, GONE
        tasks: list[asyncio.Task[None]] = []
        try:
            await connection.send({"type": "websocket.accept", "headers": wire.id_headers()})
            jobs = (self._show(), self._listen(receive), self._keep_time())
            tasks += [asyncio.create_task(job) for job in jobs]
            ending = await connection.until_ended()
            if ending is not GONE:
                await self._say_why(ending)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._output.close()
            self._input.close()
            await lifespan.on_thread(self._closed, ending)

    def _closed(self, ending: Ending) -> None:
        admitted = self._connection.admitted
        seconds = round(self._loop.time() - self._began)
        terminals.closed(admitted.instance, seconds=seconds, reason=ending.code, actor=admitted.caller)

    async def _say_why(self, ending: Ending) -> None:
        told: dict[str, str] = {"type": "exit"}
        if ending is not SHELL_ENDED:
            told = {"type": "error", "code": ending.code, "detail": ending.detail}
        if await self._connection.send({"type": "websocket.send", "text": orjson.dumps(told).decode()}):
            await self._connection.send({"type": "websocket.close", **last_words(ending)})

    async def _show(self) -> None:
        """What the shell writes."""
        try:
            while data := await self._output.take():
                if not await self._connection.send({"type": "websocket.send", "bytes": data}):
                    return
        except (base.ProviderError, OSError) as error:
            log.info("a terminal was lost: %s", error)
            self._connection.end(LOST)
        else:
            self._connection.end(SHELL_ENDED)

    async def _listen(self, receive: Receive) -> None:
        """What the client sends; what the shell does not read has a most."""
        while (message := await receive())["type"] == "websocket.receive":
            data = message.get("bytes")
            if data is None:
                self._order(message.get("text") or "")
            elif data:
                self._typed = self._loop.time()
                self._take(data)
                if self._typed - self._told > USED_SECONDS:
                    self._told = self._typed
                    await lifespan.on_thread(terminals.used, self._connection.admitted.instance)
        self._connection.end(GONE)

    def _order(self, text: str) -> None:
        try:
            order = orjson.loads(text) if len(text) <= MOST_TEXT else None
            if order == {"type": "ping"}:
                return
            if not isinstance(order, dict) or order.get("type") != "resize":
                raise Invalid(VIOLATION.detail)
            columns, rows = order.get("columns"), order.get("rows")
            if type(columns) is not int or type(rows) is not int:
                raise Invalid(VIOLATION.detail)
            terminals.check_size(columns, rows)
        except (orjson.JSONDecodeError, DomainError):
            self._connection.end(VIOLATION)
        else:
            self._take((columns, rows))

    def _take(self, piece: Typed) -> None:
        if not self._input.take(piece):
            self._connection.end(FLOOD)

    async def _keep_time(self) -> None:
        idle, most = settings.TERMINAL_IDLE_MINUTES * 60, settings.TERMINAL_HOURS * 3600
        while self._left(idle, most) > 0:  # noqa: ASYNC110  time passes, and nothing tells of it
            await asyncio.sleep(self._left(idle, most))
        self._connection.end(TOO_LONG if self._loop.time() >= self._began + most else IDLE)

    def _left(self, idle: float, most: float) -> float:
        """Seconds until the first of both limits."""
        return min(self._typed + idle, self._began + most) - self._loop.time()


async def _on_thread(function: Any, *args: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(_threads, function, *args)
