"""Terminals end to end: a WebSocket, the live process, a real shell."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from gateway.db.scope import platform_scope, tenant_scope
from realtime import lifespan
from realtime.tests.clients import cookie
from tenants.models import AuditEntry, Membership
from tenants.principal import Principal
from tenants.services import users
from tests import factories
from workspaces.consumers import guards
from workspaces.models import Service, Workspace, WorkspaceShare
from workspaces.providers import registry
from workspaces.providers.base import Limits, Spec
from workspaces.tests.live import served
from workspaces.tests.shells import ShellProvider

pytestmark = pytest.mark.django_db(transaction=True)
RESIZE = {"type": "resize", "columns": 100, "rows": 30}


@pytest.fixture(scope="module")
def live(django_db_setup: None) -> Iterator[int]:
    with served() as port:
        yield port


@pytest.fixture
def shells(monkeypatch: pytest.MonkeyPatch) -> Iterator[ShellProvider]:
    made = ShellProvider()
    monkeypatch.setitem(registry.MADE, "fake", made)
    yield made
    made.close()


def runs(
    shells: ShellProvider, admin: Principal, model: type[Workspace] | type[Service] = Workspace, **fields: Any
) -> Any:
    """An instance that runs."""
    with platform_scope("tests"):
        row: Any = model.objects.create(
            tenant=admin.tenant, owner=admin.user, name="box", offset=1 + model.objects.count(),
            **{"provider": "fake", "observed_state": "running", "observed_generation": 1} | fields,
        )  # fmt: skip
    spec = Spec(row.key, "workspace", admin.tenant.slug, row.name, row.offset, Limits(1 << 30, 1000, 100))
    shells.ensure(spec, running=True)
    return row


def open_terminal(
    port: int, row: Any, who: Principal | None = None, query: str = "", **headers: str
) -> ClientConnection:
    if who is not None:
        headers["Authorization"] = factories.bearer(who)
    kind = "workspaces" if isinstance(row, Workspace) else "services"
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return connect(
        f"ws://127.0.0.1:{port}/api/v1/{kind}/{row.public_id}/terminal{query}",
        additional_headers=given, proxy=None, max_size=1 << 24,
    )  # fmt: skip


def until(socket: ClientConnection, mark: bytes, seconds: float = 60) -> bytes:
    """What the terminal shows, up to the mark."""
    shown = b""
    end = time.monotonic() + seconds
    while mark not in shown:
        message = socket.recv(timeout=max(0.01, end - time.monotonic()))
        assert isinstance(message, bytes), message
        shown += message
    return shown


def ending(socket: ClientConnection, seconds: float = 60) -> tuple[dict[str, Any], int]:
    """What is told at the end, and the code of the close frame."""
    told: dict[str, Any] = {}
    end = time.monotonic() + seconds
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            message = socket.recv(timeout=max(0.01, end - time.monotonic()))
            if isinstance(message, str):
                told = json.loads(message)
    assert closed.value.rcvd is not None
    return told, closed.value.rcvd.code


def audited(who: Principal) -> list[tuple[str, str, dict[str, Any]]]:
    with tenant_scope(who.tenant.pk):
        rows = AuditEntry.objects.filter(action__startswith="workspaces.terminal").order_by("pk")
        return [(row.action, row.target, row.after) for row in rows]


def eventually(what: Callable[[], bool], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def test_a_shell_that_is_typed_into_and_resized(live: int, shells: ShellProvider) -> None:
    who = factories.member(factories.tenant())
    row = runs(shells, who)
    with open_terminal(live, row, who, "?columns=90&rows=20") as socket:
        socket.send(b"stty size; echo $TERM\n")
        assert b"20 90\r\nxterm-256color" in until(socket, b"-256color")
        socket.send(json.dumps(RESIZE))
        socket.send('{"type": "ping"}')
        socket.send(b"stty size\n")
        until(socket, b"30 100")
        socket.send("echo naïve; exit\n".encode())
        until(socket, "naïve\r\n".encode())
        assert ending(socket) == ({"type": "exit"}, 1000)
    assert eventually(lambda: len(audited(who)) == 2)
    (opened, target, _), (closed, _, after) = audited(who)
    assert (opened, target) == ("workspaces.terminal.open", "workspace box")
    assert (closed, after["reason"]) == ("workspaces.terminal.close", "shell_ended")
    assert "naïve" not in str(audited(who))


def test_a_lot_of_output_arrives_whole(live: int, shells: ShellProvider) -> None:
    who = factories.member(factories.tenant())
    row = runs(shells, who)
    with open_terminal(live, row, who) as socket:
        socket.send(b"seq 200000; echo the-$((40 + 2))\n")
        shown = until(socket, b"the-42")
    assert b"\r\n199999\r\n200000\r\nthe-42" in shown


@pytest.mark.parametrize("command", ["sleep 1000", "yes 1000"])
def test_a_client_that_leaves_ends_the_shell(live: int, shells: ShellProvider, command: str) -> None:
    """A silent one, and one that writes on: the server hears of the end as it sends."""
    who = factories.member(factories.tenant())
    row = runs(shells, who)
    with open_terminal(live, row, who) as socket:
        socket.send(command.encode() + b"\n")
        until(socket, b"1000")
    (shell,) = shells.shells[row.key]
    assert eventually(lambda: shell.process.poll() is not None)
    assert eventually(lambda: len(audited(who)) == 2)
    assert audited(who)[1][2]["reason"] == "client_gone"


@pytest.mark.parametrize(
    "message",
    [
        "hello",
        '{"type": "input"}',
        '{"type": "resize"}',
        '{"type": "resize", "columns": "9", "rows": 9}',
        '{"type": "resize", "columns": 0, "rows": 9}',
        '{"type": "resize", "columns": true, "rows": 9}',
        "[" * 5000,
    ],
)
def test_a_message_that_is_none(live: int, shells: ShellProvider, message: str) -> None:
    who = factories.member(factories.tenant())
    with open_terminal(live, runs(shells, who), who) as socket:
        socket.send(message)
        told, code = ending(socket)
    assert (told["code"], code) == ("unexpected_message", 1008)


def test_input_that_the_shell_does_not_read_has_a_most(live: int, shells: ShellProvider) -> None:
    who = factories.member(factories.tenant())
    with open_terminal(live, runs(shells, who), who) as socket:
        socket.send(b"stty raw -echo; echo ready; sleep 1000\n")
        until(socket, b"ready")
        for _ in range(5):
            socket.send(b"x" * (300 << 10))
        told, code = ending(socket)
    assert (told["code"], code) == ("input_not_read", 1009)


def test_who_is_refused_and_why(live: int, shells: ShellProvider, settings: Any) -> None:
    home = factories.tenant()
    admin, member, viewer = (factories.member(home, role) for role in ("admin", "member", "viewer"))
    row = runs(shells, admin)
    own = f"http://127.0.0.1:{live}"
    for who, query, headers, status, code in (
        (None, "", {}, 401, "unauthenticated"),
        (None, "?ticket=unknown", {}, 401, "unauthenticated"),
        (viewer, "", {}, 403, "permission_missing"),
        (member, "", {}, 404, "not_found"),
        (factories.member(factories.tenant()), "", {}, 404, "not_found"),
        (None, "", {"Cookie": cookie(admin)}, 403, "origin_refused"),
        (None, "", {"Cookie": cookie(admin), "Origin": "https://evil.example"}, 403, "origin_refused"),
        (admin, "?columns=0", {}, 400, "invalid"),
        (admin, "?rows=many", {}, 400, "invalid"),
    ):
        with pytest.raises(InvalidStatus) as refused:
            open_terminal(live, row, who, query, **headers)
        answer = refused.value.response
        told = json.loads(answer.body or b"{}")
        assert (answer.status_code, told["code"]) == (status, code), (query, headers)
    with open_terminal(live, row, Cookie=cookie(admin), Origin=own) as socket:
        socket.send(b"exit\n")
        ending(socket)
    settings.TERMINALS_PER_USER = 1
    with open_terminal(live, row, admin):
        with pytest.raises(InvalidStatus) as refused:
            open_terminal(live, row, admin)
        assert refused.value.response.status_code == 429


def test_what_does_not_run_or_has_no_terminals(live: int, shells: ShellProvider) -> None:
    who = factories.member(factories.tenant())
    stopped = runs(shells, who, observed_generation=0, desired_state="stopped")
    external = runs(shells, who, Service, kind="external", provider="")
    for row, code in ((stopped, "not_running"), (external, "not_supported")):
        with pytest.raises(InvalidStatus) as refused:
            open_terminal(live, row, who)
        assert refused.value.response.status_code == 409
        assert json.loads(refused.value.response.body or b"")["code"] == code


def test_a_terminal_of_a_service_is_for_those_permitted(live: int, shells: ShellProvider) -> None:
    home = factories.tenant()
    admin, member = factories.member(home), factories.member(home, "member")
    row = runs(shells, admin, Service)
    with open_terminal(live, row, admin) as socket:
        socket.send(b"echo in-$((40 + 2))\n")
        until(socket, b"in-42")
    with pytest.raises(InvalidStatus) as refused:
        open_terminal(live, row, member)
    assert refused.value.response.status_code == 403


def _stop(row: Workspace, who: Principal) -> None:
    with platform_scope("tests"):
        Workspace.objects.filter(pk=row.pk).update(desired_state="stopped")


def _unshare(row: Workspace, who: Principal) -> None:
    with platform_scope("tests"):
        WorkspaceShare.objects.filter(workspace=row).delete()


def _deactivate(row: Workspace, who: Principal) -> None:
    admin = factories.member(who.tenant)
    with tenant_scope(who.tenant.pk):
        users.deactivate_user(Membership.objects.get(user=who.user), actor=admin)


@pytest.mark.parametrize(
    ("how", "code"), [(_stop, "not_running"), (_unshare, "not_found"), (_deactivate, "unauthenticated")]
)
def test_a_terminal_ends_with_what_it_rests_on(
    live: int, shells: ShellProvider, how: Callable[[Workspace, Principal], None], code: str
) -> None:
    home = factories.tenant()
    admin, member = factories.member(home), factories.member(home, "member")
    row = runs(shells, admin)
    assert member.user is not None
    with platform_scope("tests"):
        WorkspaceShare.objects.create(tenant=home, workspace=row, user=member.user)
    with open_terminal(live, row, member) as socket:
        time.sleep(1.2)  # past the first look
        how(row, member)
        told, close_code = ending(socket)
    assert (told["code"], close_code) == (code, 1008)
    assert eventually(lambda: shells.shells[row.key][0].process.poll() is not None)


def test_limits_of_time(live: int, shells: ShellProvider, settings: Any) -> None:
    who = factories.member(factories.tenant())
    row = runs(shells, who)
    for minutes, hours, code in ((0.01, 1, "idle"), (60, 0.0002, "time_limit")):
        settings.TERMINAL_IDLE_MINUTES, settings.TERMINAL_HOURS = minutes, hours
        with open_terminal(live, row, who) as socket:
            told, close_code = ending(socket)
        assert (told["code"], close_code) == (code, 1000)


def test_typing_keeps_a_workspace_awake(live: int, shells: ShellProvider) -> None:
    who = factories.member(factories.tenant())
    row = runs(shells, who)
    with open_terminal(live, row, who) as socket:
        socket.send(b"echo $((40 + 2))\n")
        until(socket, b"42")
    with platform_scope("tests"):
        row.refresh_from_db()
    assert row.last_active_at is not None


def test_a_stop_of_the_process_ends_it_first(
    live: int, shells: ShellProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = factories.member(factories.tenant())
    row = runs(shells, who)
    monkeypatch.setattr(lifespan, "_hub", None)
    monkeypatch.setattr(guards, "_guard", None)
    with served() as port, open_terminal(port, row, who) as socket:
        hub = lifespan.hub()
        stopping = asyncio.run_coroutine_threadsafe(hub.stop(), hub._tasks[0].get_loop())
        told, code = ending(socket)
        stopping.result(10)
    assert (told["code"], code) == ("shutting_down", 1001)
    assert eventually(lambda: shells.shells[row.key][0].process.poll() is not None)
