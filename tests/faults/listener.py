"""A reader of the live events that comes back where it was cut off, as a browser's EventSource does."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from typing import Any

from tests.instance import Api

QUIET_SECONDS = 40.0  # heartbeats come more often


class Listener(threading.Thread):
    """Reads until `close`. `events` are all that came, in their order; `ids` the id of each."""

    def __init__(self, api: Api, query: str) -> None:
        super().__init__(daemon=True)
        self._api, self._path = api, f"/api/v1/realtime/events?{query}"
        self._last = ""
        self._over = threading.Event()
        self.opened = threading.Event()
        self.events: list[dict[str, Any]] = []
        self.ids: list[int] = []
        self.connections = 0

    def run(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._read()
            self._over.wait(0.2)

    def close(self) -> None:
        self._over.set()

    def _read(self) -> None:
        wire = http.client.HTTPConnection(self._api.url.removeprefix("http://"), timeout=QUIET_SECONDS)
        headers = {**self._api.headers, "Accept": "text/event-stream"}
        if self._last:
            headers["Last-Event-ID"] = self._last
        with contextlib.closing(wire):
            wire.request("GET", self._path, headers=headers)
            answer = wire.getresponse()
            if answer.status != 200:
                answer.read()
                return
            self.connections += 1
            event, data = "", ""
            while not self._over.is_set() and (line := answer.readline()):
                name, _, value = line.decode().rstrip("\r\n").partition(": ")
                if name == "id":
                    event = value
                elif name == "data":
                    data = value
                elif name == "" and not value:
                    if data and event:
                        self.ids.append(int(event))
                        self.events.append(json.loads(data))
                    if event:
                        self._last = event
                        self.opened.set()
                    event, data = "", ""


def wait_open(listener: Listener, limit: float = 30) -> None:
    """Until it knows its place in the log, from which nothing is missed."""
    deadline = time.monotonic() + limit
    while not listener.opened.wait(0.1):
        assert time.monotonic() < deadline, "the event stream does not open"
