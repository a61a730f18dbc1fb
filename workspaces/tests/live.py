"""The `live` process on a thread of the tests' own process, so that it uses their providers."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import uvicorn
from django.conf import settings
from django.db import connection, connections

from realtime import lifespan
from workspaces.consumers import guards


@contextlib.contextmanager
def served() -> Iterator[int]:
    """Serve; yields the port."""
    from gateway.asgi import application

    database = settings.DATABASES["default"]
    name, database["NAME"] = database["NAME"], connection.settings_dict["NAME"]
    config = uvicorn.Config(
        application, port=0, log_level="warning", access_log=False, ws="websockets-sansio",
        ws_per_message_deflate=False, timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the live process does not start"
            time.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        database["NAME"] = name
        server.should_exit = True
        thread.join(30)
        _close_connections()
        lifespan._hub = guards._guard = None  # they are of that thread's loop


def _close_connections() -> None:
    """Of its threads to the database, which is dropped at the end."""
    together = threading.Barrier(lifespan._threads._max_workers)

    def close() -> None:
        together.wait(30)
        connections.close_all()

    for done in [lifespan._threads.submit(close) for _ in range(together.parties)]:
        done.result(60)
