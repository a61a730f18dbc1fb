"""Logs as they are written, end to end: server-sent events and a WebSocket."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from gateway.db.scope import platform_scope
from tenants.principal import Principal
from tests import factories
from workspaces.models import Service, Workspace
from workspaces.tests.live import served
from workspaces.tests.shells import ShellProvider
from workspaces.tests.test_terminals import runs, shells

__all__ = ["shells"]  # the fixture

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def live(django_db_setup: None) -> Iterator[int]:
    with served() as port:
        yield port


class Reader:
    """`status`, and lines of an answer as they come."""

    def __init__(self, port: int, row: Any, who: Principal, query: str = "") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 30)
        kind = "workspaces" if isinstance(row, Workspace) else "services"
        self._socket.sendall(
            f"GET /api/v1/{kind}/{row.public_id}/logs/events{query} HTTP/1.0\r\nHost: localhost\r\n"
            f"Authorization: {factories.bearer(who)}\r\nX-Tenant: {who.tenant.slug}\r\n\r\n".encode()
        )
        self._file = self._socket.makefile("r", encoding="utf-8", newline="\n")
        self.status = int(self._file.readline().split()[1])
        while self._file.readline().strip():
            pass

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._file.close()

    def take(self, count: int) -> list[str]:
        """The data of the next events, as many as come before the end."""
        found: list[str] = []
        while len(found) < count and (line := self._file.readline()):
            if line.startswith(("data: ", "event: ")):
                found.append(line.removeprefix("data: ").rstrip("\n"))
        return found


def test_lines_come_as_they_are_written(live: int, shells: ShellProvider) -> None:
    who = factories.member(factories.tenant())
    row = runs(shells, who, Service)
    for number in range(5):
        shells.say(row.key, f"old {number}")
    with Reader(live, row, who, "?tail=2") as reader:
        assert reader.take(2) == ["old 3", "old 4"]
        shells.say(row.key, "10 %\r50 %\rall\r")
        shells.say(row.key, "naïve")
        assert reader.take(2) == ["all", "naïve"]
        shells.kill(row.key)
        assert reader.take(2)[0] == "event: end"


def test_a_socket_has_them_too(live: int, shells: ShellProvider) -> None:
    who = factories.member(factories.tenant())
    row = runs(shells, who)
    url = f"ws://127.0.0.1:{live}/api/v1/workspaces/{row.public_id}/logs/ws?tail=0"
    headers = {"Authorization": factories.bearer(who)}
    with connect(url, additional_headers=headers, proxy=None) as ws:
        seen: list[str] = []
        while not seen:  # of what is written before it follows nothing comes
            shells.say(row.key, "one")
            with contextlib.suppress(TimeoutError):
                seen += str(ws.recv(timeout=0.2)).split("\n")
        shells.say(row.key, "two")
        while seen[-1] != "two":
            seen += str(ws.recv(timeout=30)).split("\n")
        shells.kill(row.key)
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=30)
    assert {*seen[:-1]} == {"one"}
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1000


def test_many_lines_arrive_whole_and_in_order(live: int, shells: ShellProvider) -> None:
    who = factories.member(factories.tenant())
    row = runs(shells, who)
    shells.instances[row.key].lines[:] = [b"%d %s\n" % (n, b"x" * 200) for n in range(4000)]
    with Reader(live, row, who, "?tail=4000") as reader:
        assert [line.split()[0] for line in reader.take(4000)] == [str(n) for n in range(4000)]


def test_a_follower_whose_reach_ends_is_told(live: int, shells: ShellProvider) -> None:
    home = factories.tenant()
    row = runs(shells, factories.member(home))
    viewer = factories.member(home, "viewer")
    with platform_scope("tests"):
        Workspace.objects.filter(pk=row.pk).update(owner=viewer.user)
    with Reader(live, row, viewer) as reader:
        assert reader.take(1) == ["started"]
        with platform_scope("tests"):
            Workspace.objects.filter(pk=row.pk).update(owner=None)
        event, data = reader.take(2)
    assert event == "event: error"
    assert json.loads(data)["code"] == "not_found"


def test_who_is_refused(live: int, shells: ShellProvider) -> None:
    home = factories.tenant()
    row = runs(shells, factories.member(home))
    member, stranger = factories.member(home, "member"), factories.member(factories.tenant())
    for who, query, status in ((member, "", 404), (stranger, "", 404), (member, "?tail=x", 404)):
        with Reader(live, row, who, query) as reader:
            assert reader.status == status
    with Reader(live, row, factories.member(home), "?tail=5001") as reader:
        assert reader.status == 400
    url = f"ws://127.0.0.1:{live}/api/v1/workspaces/{row.public_id}/logs/ws"
    with pytest.raises(InvalidStatus) as refused, connect(url, proxy=None):
        pass
    assert refused.value.response.status_code == 401


def test_a_reader_that_leaves_frees_its_thread(live: int, shells: ShellProvider) -> None:

    who = factories.member(factories.tenant())
    row = runs(shells, who)
    with Reader(live, row, who) as reader:
        reader.take(1)
    for _ in range(200):
        if not any(thread.name == f"logs-{row.key}" for thread in threading.enumerate()):
            return
        with contextlib.suppress(KeyError):
            shells.say(row.key, "on")
        time.sleep(0.05)
    raise AssertionError("the thread goes on")
