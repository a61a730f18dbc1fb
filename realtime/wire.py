"""What the two doors, event streams and WebSockets, share on the wire."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any

import orjson

from gateway.api.exceptions import details
from gateway.errors import DomainError, RateLimited, Unauthenticated, Unavailable
from gateway.logs import accept_request_id, request_id
from realtime.reader import Ending

log = logging.getLogger(__name__)
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


def adopt_request_id(scope: Scope) -> None:
    """Logs and answers of this connection bear the edge's id."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    request_id.set(accept_request_id(given.decode("latin-1")))
    log.debug("a connection asks for %s", scope["path"])


def id_headers() -> Headers:
    """Of every connection that opens."""
    return [(b"x-request-id", request_id.get().encode())]


def stream_headers(room: int) -> Headers:
    """Of every stream of events that opens: how many more the tenant may open here, beside its id."""
    return [*id_headers(), (b"x-streams-remaining", b"%d" % room)]


def failure(raised: Exception) -> DomainError:
    """What the caller is told of an error; one that nobody meant is logged with its trace."""
    if isinstance(raised, DomainError):
        return raised
    log.error("a connection failed", exc_info=raised)
    error = DomainError(
        "Something went wrong here; the request id finds it in the log.", code="internal_error"
    )
    error.status, error.title = 500, "Internal server error"
    return error


def problem(error: DomainError) -> tuple[int, Headers, bytes]:
    """Status, headers and body of a refusal."""
    body = orjson.dumps(details(error))
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-request-id", request_id.get().encode()),
    ]
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b'Bearer realm="gatehouse"'))
    if isinstance(error, RateLimited):
        headers.append((b"retry-after", b"%d" % error.retry_after))
    if isinstance(error, Unavailable):
        headers.append((b"retry-after", b"1"))
    return error.status, headers, body


def of_ending(ending: Ending) -> DomainError:
    """The reason of an ending, as a problem."""
    error = DomainError(ending.detail, code=ending.code)
    error.status, error.title = ending.status, "Stream ended"
    return error


def drop(send: Send) -> None:
    """Drop the connection without another byte, for a client that takes none.

    ASGI has no word for it, and closing waits for the client. uvicorn's `send` belongs to what holds the transport;
    under another server the caller only stops serving, and the server's own time limits end the connection.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()


async def first_of(*jobs: Coroutine[Any, Any, None]) -> None:
    """Run the jobs side by side until one ends or raises; the others end with it."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
