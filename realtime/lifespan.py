"""The hub of this process: made when the server starts or, under one that does not say so, when first needed."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from channels.db import database_sync_to_async
from django.conf import settings

from gateway.decision.database import POOL_LABELS, POOL_TEXT, Database, DatabaseAddress
from gateway.metrics import Reading
from realtime import admission
from realtime.guard import PERMISSION
from realtime.hub import Hub, Limits
from realtime.reader import Bounds
from realtime.wire import Receive, Scope, Send
from tenants.services import standing

log = logging.getLogger(__name__)
T = TypeVar("T")
_hub: Hub | None = None
_threads = ThreadPoolExecutor(4, thread_name_prefix="realtime")  # each with a database connection of its own


def hub() -> Hub:
    """The process's hub, started. Call it on the event loop."""
    global _hub
    if _hub is None:
        address = DatabaseAddress.from_django(settings)
        bounds = Bounds(
            settings.REALTIME_QUEUE_EVENTS,
            settings.REALTIME_QUEUE_BYTES,
            settings.REALTIME_SEND_SECONDS,
            settings.REALTIME_HEARTBEAT_SECONDS,
        )
        limits = Limits(settings.REALTIME_CONNECTIONS, settings.REALTIME_TENANT_CONNECTIONS, bounds)
        database = Database(address, wide=2, app=4)
        _hub = Hub(database, settings.REDIS_URL, limits, _renew)
        Reading("gatehouse_stream_connections", "Open event streams and WebSockets.", (), _hub.connections)
        Reading("gatehouse_database_connections", POOL_TEXT, POOL_LABELS, database.usage)
        _hub.start()
    return _hub


async def admit(scope: Scope) -> admission.Admitted:
    """`admission.admit` on a thread."""
    return await on_thread(admission.admit, scope)


async def _renew(holder: standing.Holder) -> None:
    await on_thread(_still_admitted, holder)


def _still_admitted(holder: standing.Holder) -> None:
    standing.renew(holder).require(PERMISSION)  # which may ask the database what is switched off


async def on_thread(function: Callable[..., T], *args: Any) -> T:
    """A short call with database connections, on one of a few threads."""
    call: Any = database_sync_to_async(function, thread_sensitive=False, executor=_threads)
    answer: T = await call(*args)
    return answer


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Start and stop with the server."""
    await receive()
    _raise_file_limit()
    running = hub()
    _end_streams_first(running)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await running.stop()
    await send({"type": "lifespan.shutdown.complete"})


def _raise_file_limit() -> None:
    """A connection is a file; the usual soft limit of 1,024 is far below what a process can serve."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _end_streams_first(running: Hub) -> None:
    """uvicorn says that it stops only once all connections have ended, and event streams never end by themselves.

    So a signal to stop first ends the streams, and reaches the server's own handler after them, or when it comes
    again.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)
        if not callable(before):
            continue

        def stop(received: int, frame: Any, before: Callable[[int, Any], Any] = before) -> None:
            signal.signal(received, before)
            loop.call_soon_threadsafe(start_stopping, received, before)

        def start_stopping(received: int, before: Callable[[int, Any], Any]) -> None:
            task = loop.create_task(running.stop())
            task.add_done_callback(lambda _: before(received, None))

        try:
            signal.signal(number, stop)
        except ValueError:  # not on the main thread, so the server takes no signals either
            return
