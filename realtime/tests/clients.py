"""A reader of event streams as simple as they come: blocking, on one socket."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Iterator
from typing import Any

import h11
from django.conf import settings
from django.db import transaction
from django.test import Client

from gateway.db.scope import platform_scope, tenant_scope
from realtime.services import publish
from tenants.models import ApiKey
from tenants.principal import Principal
from tenants.services import api_keys
from tests import factories


def token(who: Principal) -> str:
    return factories.bearer(who).removeprefix("Bearer ")


def api_key(who: Principal, permissions: list[str] | None = None) -> tuple[ApiKey, str]:
    with tenant_scope(who.tenant.pk):
        return api_keys.issue_key("reader", permissions=permissions, actor=who)


def cookie(who: Principal) -> str:
    """The Cookie header of a signed-in browser."""
    assert who.user is not None
    browser = Client()
    with platform_scope("tests"):
        browser.force_login(who.user)
    return f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"


def emit(tenant_id: int, *subjects: str, kind: str = "storage.object.created", **data: object) -> list[str]:
    """An event per subject, committed together; their ids."""
    with tenant_scope(tenant_id), transaction.atomic():
        return [str(publish(tenant_id, kind, subject=subject, data=data)) for subject in subjects]


class Stream:
    """`status` and, where refused, `problem`; else events by `events` and `take`."""

    def __init__(
        self, port: int, query: str = "", *, token: str = "", last: str | None = None,
        path: str = "/api/v1/realtime/events", **headers: str,
    ) -> None:  # fmt: skip
        given = {"Host": f"127.0.0.1:{port}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        if token:
            given["Authorization"] = f"Bearer {token}"
        if last is not None:
            given["Last-Event-ID"] = last
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._http = h11.Connection(h11.CLIENT)
        target = path + (f"?{query}" if query else "")
        request = h11.Request(method="GET", target=target, headers=list(given.items()))
        self.socket.sendall(self._http.send(request) + self._http.send(h11.EndOfMessage()))
        response = self._next(60)
        assert isinstance(response, h11.Response)
        self.status = response.status_code
        self.headers = {name.decode(): value.decode() for name, value in response.headers}
        self.problem = json.loads(b"".join(self._body())) if self.status != 200 else {}
        self.last: str | None = None
        self.error: dict[str, Any] = {}
        self.heartbeats = 0
        self._rest = b""

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def events(self, seconds: float = 30) -> Iterator[dict[str, Any]]:
        """Events until the stream ends, or `seconds` have passed."""
        end = time.monotonic() + seconds
        while True:
            block, mark, rest = self._rest.partition(b"\n\n")
            if not mark:
                data = self._next(end - time.monotonic())
                if not isinstance(data, h11.Data):
                    return
                self._rest += bytes(data.data)
                continue
            self._rest = rest
            fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if line[0] != ":")
            self.heartbeats += not fields
            self.last = fields.get("id", self.last)
            if fields.get("event") == "error":
                self.error = json.loads(fields["data"])
            elif "data" in fields:
                yield json.loads(fields["data"])

    def take(self, count: int, seconds: float = 30) -> list[dict[str, Any]]:
        """The next `count` events, or as many as come in time."""
        taken: list[dict[str, Any]] = []
        events = self.events(seconds)
        while len(taken) < count and (event := next(events, None)) is not None:
            taken.append(event)
        return taken

    def seconds_to_end(self, most: float = 30) -> float:
        """How long the stream stays open from now, whatever it says meanwhile."""
        start = time.monotonic()
        for _ in self.events(most):
            pass
        return time.monotonic() - start

    def _body(self) -> Iterator[bytes]:
        while isinstance(data := self._next(60), h11.Data):
            yield bytes(data.data)

    def _next(self, seconds: float) -> Any:
        """The next part of the answer; None where the connection is gone or silent for so long."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if seconds <= 0 or not select.select([self.socket], [], [], seconds)[0]:
                return None
            try:
                self._http.receive_data(self.socket.recv(1 << 16))
            except ConnectionError:
                return None
        return event
