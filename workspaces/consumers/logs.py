"""Logs as they are written: server-sent events and a WebSocket, a line each (docs/services.md)."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import orjson

from gateway.errors import Invalid, RateLimited, Unavailable
from gateway.metrics.series import REQUESTS
from realtime import lifespan, sse, websocket, wire
from realtime.reader import Ending
from realtime.wire import Receive, Scope, Send
from workspaces.services import logs

from . import admission, guards
from .connection import GONE, Admitted, Connection
from .pipe import Pipe

log = logging.getLogger(__name__)
STREAM_ROUTE, SOCKET_ROUTE = "/api/v1/{kind}/{id}/logs/events", "/api/v1/{kind}/{id}/logs/ws"
MOST_OPEN, PER_USER = 200, 20
LINES_AT_ONCE = 500
HEARTBEAT_SECONDS = 15.0
ENDED = Ending("logs_ended", "It has stopped and writes no more.", 200, 1000)
LOST = Ending("logs_lost", "Its provider does not answer; connect again.", 503, 1011)
# An EventSource that is told nothing connects again and again.
_END = b"event: end\ndata: %b\n\n" % orjson.dumps({"detail": ENDED.detail})

Write = Callable[[list[str]], Coroutine[Any, Any, bool]]
_open: Counter[int] = Counter()


async def log_stream(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of one stream of server-sent events."""
    wire.adopt_request_id(scope)
    async with AsyncExitStack() as stack:
        try:
            sse.check_method(scope)
            connection, lines = await _begin(scope, send, stack)
        except Exception as raised:
            await sse.refuse(send, wire.failure(raised), STREAM_ROUTE)
            return
        REQUESTS.labels(STREAM_ROUTE, "GET", 200).inc()
        headers = [*sse.HEADERS, *wire.id_headers()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

        async def write(batch: list[str]) -> bool:
            body = "".join(f"data: {line}\n\n" for line in batch).encode() or sse.HEARTBEAT
            return await connection.send({"type": "http.response.body", "body": body, "more_body": True})

        ending = await _follow(connection, lines, write, sse.until_gone(receive))
        if ending is not None:
            body = _END if ending is ENDED else sse.last_words(ending)
            await connection.send({"type": "http.response.body", "body": body})


async def log_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of one WebSocket."""
    wire.adopt_request_id(scope)
    if (await receive())["type"] != "websocket.connect":
        return
    async with AsyncExitStack() as stack:
        try:
            connection, lines = await _begin(scope, send, stack)
        except Exception as raised:
            await websocket.refuse(scope, send, wire.failure(raised), SOCKET_ROUTE)
            return
        REQUESTS.labels(SOCKET_ROUTE, "GET", 101).inc()
        await send({"type": "websocket.accept", "headers": wire.id_headers()})

        async def write(batch: list[str]) -> bool:
            # The server's own pings keep a silent socket open.
            return not batch or await connection.send({"type": "websocket.send", "text": "\n".join(batch)})

        ending = await _follow(connection, lines, write, _until_closed(receive))
        if ending is not None:
            await connection.send({"type": "websocket.close", **websocket.last_words(ending)})


async def _begin(
    scope: Scope, send: Send, stack: AsyncExitStack
) -> tuple[Connection, AsyncIterator[list[str]]]:
    hub = lifespan.hub()
    stack.enter_context(hub.place())
    admitted: Admitted = await lifespan.on_thread(admission.admit, scope, "logs")
    stack.enter_context(_place(admitted.holder.user_id))
    stop = threading.Event()
    source = await lifespan.on_thread(_source, admitted, stop)
    stack.callback(stop.set)
    connection = Connection(admitted, send, needs_running=False)
    stack.enter_context(hub.guest(connection.end))
    stack.enter_context(guards.guard().watching(connection))
    pipe = Pipe(source, f"logs-{admitted.instance.key}")
    stack.callback(pipe.close)
    return connection, _lines(pipe)


def _source(admitted: Admitted, stop: threading.Event) -> Iterator[bytes]:
    return logs.follow(admitted.instance, tail_of(admitted.query), stop=stop)


def tail_of(query: dict[str, str]) -> int:
    """How many of the last lines the query asks for. Raises Invalid."""
    given = query.get("tail", str(logs.LINES))
    if not (given.isascii() and given.isdigit() and len(given) < 6 and int(given) <= logs.MOST_LINES):
        text = f"A number from 0 to {logs.MOST_LINES}."
        raise Invalid(f"tail: {text}", errors={"tail": [text]})
    return int(given)


@contextmanager
def _place(user_id: int) -> Iterator[None]:
    """Raises RateLimited where the user or everybody follows too many logs here."""
    if _open[user_id] >= PER_USER:
        raise RateLimited(f"You follow {PER_USER} logs already.", retry_after=5)
    if _open.total() >= MOST_OPEN:
        raise RateLimited("This server has no more room for streams of logs.", retry_after=5)
    _open[user_id] += 1
    try:
        yield
    finally:
        _open[user_id] -= 1
        if not _open[user_id]:
            del _open[user_id]


async def _lines(pipe: Pipe) -> AsyncIterator[list[str]]:
    """Batches of lines; empty ones after a silence."""
    taking: asyncio.Task[bytes] | None = None
    while True:
        taking = taking or asyncio.create_task(pipe.take())
        await asyncio.wait([taking], timeout=HEARTBEAT_SECONDS)
        if not taking.done():
            yield []
            continue
        data, taking = taking.result(), None
        if not data:
            return
        lines = [logs.text(line) for line in data.removesuffix(b"\n").split(b"\n")]
        for start in range(0, len(lines), LINES_AT_ONCE):
            yield lines[start : start + LINES_AT_ONCE]


async def _follow(
    connection: Connection, lines: AsyncIterator[list[str]], write: Write, gone: Coroutine[Any, Any, None]
) -> Ending | None:
    """Write until the log, the client, the guard or the process ends; why it did, None where the client left."""

    async def pump() -> None:
        try:
            async for batch in lines:
                if not await write(batch):
                    return
        except Unavailable as error:
            log.info("logs cannot be followed: %s", error)
            connection.end(LOST)
        else:
            connection.end(ENDED)

    async def ended() -> None:
        await connection.until_ended()

    await wire.first_of(pump(), gone, ended())
    return None if connection.ending is GONE else connection.ending


async def _until_closed(receive: Receive) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass
