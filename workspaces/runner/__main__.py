"""`python -m workspaces.runner`: own the sandboxes of this instance until SIGTERM; status 1 where that cannot be."""

from __future__ import annotations

import asyncio
import contextlib
import logging.config
import os
import resource
import signal
import subprocess
import sys

import uvicorn
import uvloop

from gateway import env, logs
from workspaces.runner import confinement
from workspaces.runner.api import Api
from workspaces.runner.instances import Instances
from workspaces.runner.settings import Settings


class _Server(uvicorn.Server):
    """We look after the signals: sandboxes end before the answers about them do."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


async def serve(settings: Settings) -> None:
    """Serve until a signal; every sandbox has ended then. Raises OSError."""
    instances = Instances(settings)
    await instances.open()
    settings.socket.parent.mkdir(mode=0o700, exist_ok=True)
    settings.socket.unlink(missing_ok=True)
    config = uvicorn.Config(
        Api(instances),
        uds=str(settings.socket),
        loop="none",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=120,
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    serving = asyncio.create_task(server.serve())
    waiting = asyncio.create_task(stopped.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    await instances.close()
    server.should_exit = True
    await serving


def main() -> int:
    os.umask(0o077)
    level, style = env.text("LOG_LEVEL", "INFO").upper(), env.text("LOG_FORMAT") or logs.default_format()
    logging.config.dictConfig(logs.configuration(style, level))
    try:
        settings = Settings.from_environment()
    except (env.EnvError, KeyError, ValueError) as error:
        sys.stderr.write(f"runner: {error}\n")
        return 1
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if os.access(
        confinement.PACKAGE, os.W_OK
    ):  # inside it cannot be written, and every start would compile it
        compile_ = [sys.executable, "-m", "compileall", "-q", str(confinement.PACKAGE)]
        subprocess.Popen(compile_, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        uvloop.run(serve(settings))
    except OSError as error:
        sys.stderr.write(f"runner: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
