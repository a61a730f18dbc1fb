"""The `live` process under uvicorn, on the tests' database."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

import pytest
from django.db import connection

from gateway.env import PROJECT
from tests.ports import free_port


class Live:
    """A running process; `port` is where it listens."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port

    def terminate(self) -> None:
        """Stop it with SIGTERM. Raises subprocess.TimeoutExpired where something holds it up."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


@contextlib.contextmanager
def serve(**environment: str) -> Iterator[Live]:
    """A live process of its own; it must not log a traceback, whatever the test does to it."""
    port = free_port()
    url = urlsplit(os.environ["DATABASE_URL"])
    database = url._replace(path="/" + connection.settings_dict["NAME"]).geturl()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "gateway.asgi:application", "--port", str(port)]
            + ["--log-level", "warning", "--loop", "uvloop", "--no-access-log", "--ws", "websockets-sansio"]
            + ["--ws-per-message-deflate", "false"],
            cwd=PROJECT,
            env={**os.environ, "DATABASE_URL": database, **environment},
            stderr=log,
        )
        try:
            _wait(process, port)
            yield Live(process, port)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)
            log.seek(0)
            text = log.read()
            sys.stderr.write(text)
        assert "Traceback" not in text


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(600):
        assert process.poll() is None, "the live process does not start"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise AssertionError("the live process does not listen")


@pytest.fixture(scope="session")
def live(django_db_setup: None) -> Iterator[Live]:
    """One for all tests that need nothing special of it."""
    with serve(REALTIME_HEARTBEAT_SECONDS="1", AUTH_RATE_LIMIT="0") as running:
        yield running


@pytest.fixture
def live_with(transactional_db: None) -> Callable[..., AbstractContextManager[Live]]:
    """Start one with an environment of its own."""
    return serve
