"""WebSockets: /api/v1/realtime/ws, one event per text frame (docs/realtime.md)."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import orjson

from gateway.errors import DomainError, NotFound
from gateway.metrics.series import REQUESTS
from realtime import lifespan, wire
from realtime.feed import Feed
from realtime.reader import Ended, Ending, Reader
from realtime.wire import Receive, Scope, Send

PATH = "/api/v1/realtime/ws"
LONGEST_MESSAGE = 1024
PING_SECONDS = 0.1
MOST_REASON = 123  # bytes of text in a close frame
UNSUPPORTED = Ending("unsupported_data", "Messages are text.", 400, 1003)
VIOLATION = Ending("unexpected_message", 'The only message understood is {"type": "ping"}.', 400, 1008)


async def event_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of one socket."""
    wire.adopt_request_id(scope)
    if (await receive())["type"] != "websocket.connect":
        return
    async with AsyncExitStack() as stack:
        try:
            hub = lifespan.hub()
            stack.enter_context(hub.place())
            admitted = await lifespan.admit(scope)
            drop = partial(wire.drop, send)
            feed, reader = await stack.enter_async_context(hub.reader(admitted, drop))
        except Exception as raised:
            await refuse(scope, send, wire.failure(raised))
            return
        REQUESTS.labels(PATH, "GET", 101).inc()
        await send({"type": "websocket.accept", "headers": wire.stream_headers(hub.room(feed.tenant_id))})
        await wire.first_of(_pump(send, feed, reader), _listen(receive, send, reader), reader.until_dropped())


async def nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    """The answer to a WebSocket at any other path."""
    wire.adopt_request_id(scope)
    await receive()
    await refuse(scope, send, NotFound("There is no such path in the API."))


async def refuse(scope: Scope, send: Send, error: DomainError, route: str = PATH) -> None:
    """With a status and a body where the server can say them before it accepts; else it answers 403."""
    REQUESTS.labels(route, "GET", error.status).inc()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    status, headers, body = wire.problem(error)
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


async def _pump(send: Send, feed: Feed, reader: Reader) -> None:
    try:
        async for events in feed.batches(reader):
            for event in events:
                reader.check()
                await reader.send(send({"type": "websocket.send", "text": event.text}))
    except Ended as ended:
        await send({"type": "websocket.close", **last_words(ended.ending)})


def last_words(ending: Ending) -> dict[str, object]:
    """Code and reason of the close frame."""
    reason = ending.detail.encode()[:MOST_REASON].decode(errors="ignore")
    return {"code": ending.close_code, "reason": reason}


async def _listen(receive: Receive, send: Send, reader: Reader) -> None:
    """Answer pings, at a pace that a flood of them cannot raise; anything else ends the connection."""
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text")
        if text is None:
            reader.end(UNSUPPORTED)
        elif not _is_ping(text):
            reader.end(VIOLATION)
        elif reader.ending is None:
            await reader.send(send({"type": "websocket.send", "text": '{"type":"pong"}'}))
            await asyncio.sleep(PING_SECONDS)


def _is_ping(text: str) -> bool:
    if len(text) > LONGEST_MESSAGE:
        return False
    try:
        return bool(orjson.loads(text) == {"type": "ping"})
    except orjson.JSONDecodeError:
        return False
