"""Serve until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging.config
import os
import signal
import sys

from gateway import env, logs

from . import upstream
from .connection import Connection
from .settings import Misconfigured, Settings, from_environment

log = logging.getLogger(__name__)

_MOST_CONNECTIONS = 512
_LOOK_SECONDS = 5.0


async def serve(settings: Settings) -> None:
    """Listen on `settings.listen`, which only our own user may connect to."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    room = asyncio.Semaphore(_MOST_CONNECTIONS)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if room.locked():
            writer.close()
            return
        async with room:
            await Connection(settings, reader, writer).serve()

    settings.listen.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.listen.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(
            connected, settings.listen, limit=upstream.READ_BYTES, backlog=128
        )
    finally:
        os.umask(before)
    watching = asyncio.ensure_future(_watch_for_group(settings, stopped))
    await stopped.wait()
    watching.cancel()
    server.close()


async def _watch_for_group(settings: Settings, stopped: asyncio.Event) -> None:
    """An engine that comes later may bring a group that only a new process can be given: end, to be started again."""
    if settings.engine.exists():
        return
    while not settings.engine.exists():  # noqa: ASYNC110  nothing tells when a file appears elsewhere
        await asyncio.sleep(_LOOK_SECONDS)
    if not os.access(settings.engine, os.R_OK | os.W_OK) and os.environ.get("BROKER_RESTARTS"):
        log.warning("the engine's socket has appeared: starting again with its group")
        stopped.set()


def main() -> int:
    """1 with one line on stderr where a setting cannot be used."""
    try:
        level = env.choice("LOG_LEVEL", "INFO", logs.LEVELS, upper=True)
        style = env.choice("LOG_FORMAT", logs.default_format(), logs.FORMATS)
        logging.config.dictConfig(logs.configuration(style, level))
        settings = from_environment()
        asyncio.run(serve(settings))
    except (Misconfigured, env.EnvError, OSError) as e:
        sys.stderr.write(f"broker: {e}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
