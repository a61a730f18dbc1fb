"""Server-sent events: GET /api/v1/realtime/events (docs/realtime.md)."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

import orjson

from gateway.api.exceptions import details
from gateway.errors import DomainError
from gateway.metrics.series import REQUESTS
from realtime import lifespan, wire
from realtime.feed import Feed
from realtime.reader import SHUTDOWN, Ended, Ending, Reader
from realtime.wire import Receive, Scope, Send

PATH = "/api/v1/realtime/events"
RETRY_MILLISECONDS = 2000
HEARTBEAT = b": \n\n"
HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


async def event_stream(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of one stream."""
    wire.adopt_request_id(scope)
    async with AsyncExitStack() as stack:
        try:
            check_method(scope)
            hub = lifespan.hub()
            stack.enter_context(hub.place())
            admitted = await lifespan.admit(scope)
            drop = partial(wire.drop, send)
            feed, reader = await stack.enter_async_context(hub.reader(admitted, drop))
        except Exception as raised:
            await refuse(send, wire.failure(raised))
            return
        await _open(send, reader, hub.room(feed.tenant_id))
        await wire.first_of(_pump(send, feed, reader), until_gone(receive), reader.until_dropped())


def check_method(scope: Scope) -> None:
    """Raises DomainError, status 405, but for GET."""
    if scope["method"] != "GET":
        error = DomainError("A stream is opened with GET.", code="method_not_allowed")
        error.status, error.title = 405, "Method not allowed"
        raise error


async def refuse(send: Send, error: DomainError, route: str = PATH) -> None:
    """Answer with the problem in place of a stream."""
    status, headers, body = wire.problem(error)
    REQUESTS.labels(route, "GET", status).inc()
    if status == 405:
        headers.append((b"allow", b"GET"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _open(send: Send, reader: Reader, room: int) -> None:
    """The first lines tell where the reader begins, so that one that is cut off before its first event misses none."""
    REQUESTS.labels(PATH, "GET", 200).inc()
    headers = [*HEADERS, *wire.stream_headers(room)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await _write(send, reader, b"retry: %d\nid: %d\n\n" % (RETRY_MILLISECONDS, reader.position))


async def _pump(send: Send, feed: Feed, reader: Reader) -> None:
    try:
        async for events in feed.batches(reader):
            await _write(send, reader, b"".join([event.sse for event in events]) or HEARTBEAT)
    except Ended as ended:
        await send({"type": "http.response.body", "body": last_words(ended.ending)})


async def _write(send: Send, reader: Reader, body: bytes) -> None:
    await reader.send(send({"type": "http.response.body", "body": body, "more_body": True}))


def last_words(ending: Ending) -> bytes:
    """Why it ends; a restart is no error, the client just connects again."""
    if ending is SHUTDOWN:
        return b": restarting\n\n"
    return b"event: error\ndata: %b\n\n" % orjson.dumps(details(wire.of_ending(ending)))


async def until_gone(receive: Receive) -> None:
    """Until the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
