"""A reader of event streams as simple as they come: blocking, on one socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Iterator
from typing import Any

from tenants.principal import Principal
from tests import factories


def token(who: Principal) -> str:
    return factories.bearer(who).removeprefix("Bearer ")



class Stream:
    """`status` and, where refused, `problem`; else events by `until` and `take`."""

    def __init__(
        self, port: int, query: str = "", *, token: str = "", last: str | None = None, **headers: str
    ) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            given["Authorization"] = f"Bearer {token}"
        if last is not None:
            given["Last-Event-ID"] = last
        self._connection.request("GET", "/api/v1/realtime/events" + (f"?{query}" if query else ""), headers=given)
        self._response = self._connection.getresponse()
        self.status, self.headers = self._response.status, self._response.headers
        self.problem = json.loads(self._response.read()) if self.status != 200 else None
        self.last: str | None = None
        self.error: dict[str, Any] | None = None
        self.heartbeats = 0
        self._ids: list[str] = []

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._response.close()
        self._connection.close()

    def events(self, seconds: float = 10) -> Iterator[dict[str, Any]]:
        """Events until the stream ends or is silent for `seconds`."""
        end = time.monotonic() + seconds
        kind, event_id, data = "", None, ""
        while (left := end - time.monotonic()) > 0:
            if self._connection.sock:
                self._connection.sock.settimeout(left)
            try:
                line = self._response.readline()
            except TimeoutError:
                return
            if not line:
                return
            name, _, value = line.decode().rstrip("\n").partition(":")
            value = value.removeprefix(" ")
            if name == "id":
                event_id = value
            elif name == "event":
                kind = value
            elif name == "data":
                data = value
            elif line == b"\n":
                self.last = event_id or self.last
                if kind == "error":
                    self.error = json.loads(data)
                elif data:
                    yield json.loads(data)
                kind, event_id, data = "", None, ""
            elif line.startswith(b":"):
                self.heartbeats += 1

    def take(self, count: int, seconds: float = 10) -> list[dict[str, Any]]:
        """The next `count` events, or as many as come in time."""
        taken: list[dict[str, Any]] = []
        if count:
            for event in self.events(seconds):
                taken.append(event)
                if len(taken) == count:
                    break
        return taken

    def seconds_to_end(self, most: float = 10) -> float:
        """How long the stream stays open from now."""
        start = time.monotonic()
        with contextlib.suppress(http.client.HTTPException, ConnectionError):
            for _ in self.events(most):
                pass
        return time.monotonic() - start
