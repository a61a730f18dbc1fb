"""Start-up in the order that makes a workspace reachable soonest: sockets, imports, server, beside it the clone."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gatehouse_workspace import listen
from gatehouse_workspace.activity import Activity
from gatehouse_workspace.connections import established
from gatehouse_workspace.relay import Relay
from gatehouse_workspace.settings import EGRESS_PORT, GATEWAY_PORT, Settings

if TYPE_CHECKING:
    from gatehouse_workspace.transport import Transport

Build = Callable[[Settings, Activity], "tuple[Transport, Callable[[], Awaitable[None]]]"]
"""Makes the application and what runs beside it."""

GRACE = 3
"""Seconds that requests have to end in when the process is told to."""


def serve(settings: Settings, load: Callable[[], Build]) -> None:
    """Listen, then run what `load` imports until SIGTERM. Raises OSError for a port that is taken."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    sockets = [listen.tcp("127.0.0.1" if settings.sockets else "0.0.0.0", settings.port)]  # noqa: S104
    if settings.sockets:
        sockets.append(listen.unix(settings.sockets, settings.port))
    outward = _outward(settings)
    inward = _inward(settings)
    activity = Activity(
        connections=(lambda: sum(relay.streams for relay in inward))
        if settings.sockets
        else partial(established, settings.ports)
    )
    gc.disable()  # what imports make stays: looking through it again and again delays the start
    import uvloop

    build = load()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings, build, activity, sockets, outward + inward))


async def _run(
    settings: Settings, build: Build, activity: Activity, sockets: list[socket.socket], relays: list[Relay]
) -> None:
    import uvicorn

    transport, beside = build(settings, activity)
    gc.freeze()
    gc.enable()
    config = uvicorn.Config(
        transport, lifespan="off", access_log=False, log_level="warning", timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=75, server_header=False,
    )  # fmt: skip
    tasks = [asyncio.ensure_future(relay.run()) for relay in relays]
    tasks.append(asyncio.ensure_future(beside()))
    try:
        async with transport.open():
            await uvicorn.Server(config).serve(sockets=sockets)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _outward(settings: Settings) -> list[Relay]:
    """Ways out of a sandbox without a network: the egress proxy, and the platform's own port."""
    relays = []
    if settings.egress:
        relays.append(Relay(listen.tcp("127.0.0.1", EGRESS_PORT), _to_unix(settings.egress)))
        proxy = f"http://127.0.0.1:{EGRESS_PORT}"
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            os.environ[name] = proxy
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = "localhost,127.0.0.1,::1"
    if settings.gateway:
        relays.append(Relay(listen.tcp("127.0.0.1", GATEWAY_PORT), _to_unix(settings.gateway)))
    return relays


def _inward(settings: Settings) -> list[Relay]:
    if not settings.sockets:
        return []
    return [Relay(listen.unix(settings.sockets, port), _to_port(port)) for port in settings.ports]


def _to_unix(path: Path) -> Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]:
    return lambda: asyncio.open_unix_connection(str(path))


def _to_port(port: int) -> Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]:
    return lambda: asyncio.open_connection("127.0.0.1", port)
