"""Tools of a workspace by the API: a real server answers, or one that does as it should not."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from rest_framework.test import APIClient

from gateway.db.scope import tenant_scope
from tenants.principal import Principal
from tests import factories
from workspaces.models import Workspace
from workspaces.services import bridge, instances
from workspaces.services.schemas import misfits

from .server import server

pytestmark = pytest.mark.django_db
API = "/api/v1/mcp/"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with server(GATEHOUSE_RUN_COMMAND="1") as made:
        yield made


@pytest.fixture
def who() -> Principal:
    return factories.member(factories.tenant())


def make(who: Principal, address: str, **fields: Any) -> Workspace:
    given: dict[str, Any] = {"observed_state": "running", "observed_generation": 1} | fields
    with tenant_scope(who.tenant.pk):
        return Workspace.objects.create(
            tenant=who.tenant,
            owner=who.user,
            name="dev",
            offset=instances.take_offset(),
            address=address,
            **given,
        )


class Caller:
    def __init__(self, who: Principal, row: Workspace) -> None:
        self.http: APIClient = factories.client(who)
        self.id = str(row.public_id)

    def invoke(self, tool: str, parameters: Any = None, **body: Any) -> Any:
        said = {"workspace_id": self.id, "tool": tool, "parameters": parameters or {}, **body}
        return self.http.post(f"{API}invoke", said, "json")


@pytest.fixture
def caller(who: Principal, address: str) -> Caller:
    return Caller(who, make(who, address))


def test_the_tools_are_listed(caller: Caller) -> None:
    tools = caller.http.get(f"{API}tools", {"workspace_id": caller.id}).json()["data"]
    described = {tool["name"]: tool for tool in tools}
    assert {"git_status", "read_file", "run_command"} <= set(described)
    assert described["read_file"]["inputSchema"]["required"] == ["path"]


def test_a_tool_answers(caller: Caller) -> None:
    wrote = caller.invoke("write_file", {"path": "a.txt", "content": "hällo"})
    assert (wrote.status_code, wrote.json()["data"]["isError"]) == (200, False)
    data = caller.invoke("read_file", {"path": "a.txt"}).json()["data"]
    assert data.keys() == {"content", "structuredContent", "isError"}
    assert "hällo" in json.dumps(data, ensure_ascii=False)


def test_a_tools_own_error_is_an_answer(caller: Caller) -> None:
    answer = caller.invoke("read_file", {"path": "nowhere"})
    assert (answer.status_code, answer.json()["data"]["isError"]) == (200, True)
    assert "nowhere" in answer.json()["data"]["content"][0]["text"]


@pytest.mark.parametrize(
    ("tool", "parameters", "status", "code", "field"),
    [
        ("no_such_tool", {}, 404, "tool_not_found", "tool"),
        ("read_file", {"path": 5}, 400, "invalid_parameters", "parameters.path"),
        ("read_file", {}, 400, "invalid_parameters", "parameters.path"),
        ("read_file", "x", 400, "invalid", "parameters"),
        ("", {}, 400, "invalid", "tool"),
    ],
)
def test_calls_that_cannot_work(
    caller: Caller, tool: str, parameters: Any, status: int, code: str, field: str
) -> None:
    answer = caller.invoke(tool, parameters)
    said = answer.json()
    assert (answer.status_code, said["code"]) == (status, code)
    assert field in said["errors"]


def test_what_takes_too_long_is_stopped(caller: Caller) -> None:
    mark = f"sleep 47.{time.monotonic_ns() % 10**6}"
    answer = caller.invoke("run_command", {"command": f"exec {mark}"}, timeout=1)
    assert (answer.status_code, answer.json()["code"]) == (504, "tool_timeout")
    until = time.monotonic() + 30
    while runs(mark):
        assert time.monotonic() < until
        time.sleep(0.05)


def runs(command: str) -> bool:
    """Whether a process has that command line."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode() == command:
                return True
        except OSError:
            continue
    return False


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"desired_state": "stopped", "stopped_for": "person"}, 409, "workspace_stopped"),
        ({"observed_state": "failed", "error": "No image."}, 503, "workspace_failed"),
        ({"observed_state": "starting"}, 503, "workspace_starting"),
    ],
)
def test_one_that_does_not_run(
    who: Principal, address: str, monkeypatch: pytest.MonkeyPatch, fields: Any, status: int, code: str
) -> None:
    monkeypatch.setattr(bridge, "_WAKE_SECONDS", 0.3)
    answer = Caller(who, make(who, address, **fields)).invoke("git_status")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_one_that_sleeps_is_woken(who: Principal, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "_WAKE_SECONDS", 0.3)
    row = make(who, address, desired_state="stopped", stopped_for="idle", observed_state="stopped")
    assert Caller(who, row).invoke("git_status").status_code == 503  # nothing reconciles here
    with tenant_scope(who.tenant.pk):
        row.refresh_from_db()
    assert (row.desired_state, row.stopped_for) == ("running", "")


def test_others_do_not_reach_it(caller: Caller, who: Principal) -> None:
    for other in (factories.member(who.tenant, "member"), factories.member(factories.tenant())):
        caller.http = factories.client(other)
        assert caller.invoke("git_status").status_code == 404
    caller.http = factories.client(factories.member(who.tenant, "viewer"))
    assert caller.invoke("git_status").status_code == 403


def test_only_some_are_under_way_at_a_time(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "_turns", threading.BoundedSemaphore(1))
    monkeypatch.setattr(bridge, "_TURN_SECONDS", 0.1)
    with bridge._turn(0):
        answer = caller.invoke("git_status")
    assert (answer.status_code, answer.json()["code"]) == (503, "bridge_busy")


def test_one_tenant_leaves_turns_to_others(
    caller: Caller, who: Principal, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "_TURN_SECONDS", 0.1)
    other = factories.member(factories.tenant())
    with bridge._turn(who.tenant.pk), bridge._turn(who.tenant.pk):
        assert caller.invoke("git_status").status_code == 503
        assert Caller(other, make(other, address)).invoke("git_status").status_code == 200


Answer = Callable[[bytes], bytes]


@pytest.fixture
def rogue() -> Iterator[tuple[str, list[Answer]]]:
    """The address of a server that answers each request as the list's last function says, then hangs up."""
    with TemporaryDirectory(prefix="gr") as folder, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{folder}/p8080.sock")
        listening.listen()
        says: list[Answer] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    try:
                        connection.sendall(says[-1](connection.recv(65536)))
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        yield folder, says
        listening.shutdown(socket.SHUT_RDWR)


def plain(body: bytes, kind: str = "application/json") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode() + body


def asked(request: bytes) -> Any:
    return json.loads(request.partition(b"\r\n\r\n")[2])["id"]


@pytest.mark.parametrize(
    ("say", "code"),
    [
        (lambda _: b"", "workspace_unreachable"),
        (lambda _: b"nonsense\r\n\r\n", "workspace_unreachable"),
        (lambda _: plain(b"{"), "workspace_error"),
        (lambda _: plain(b"[" * 100_000), "workspace_error"),
        (lambda _: plain(b'{"jsonrpc":"2.0","id":"another","result":{}}'), "workspace_error"),
        (lambda r: plain(json.dumps({"id": asked(r), "result": []}).encode()), "workspace_error"),
        (
            lambda r: plain(json.dumps({"id": asked(r), "error": {"code": -32000}}).encode()),
            "workspace_error",
        ),
        (lambda _: plain(bytes(bridge.MOST_BYTES + 1)), "workspace_unreachable"),
        (lambda _: b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", "workspace_error"),
    ],
)
def test_answers_are_not_trusted(
    who: Principal, rogue: tuple[str, list[Answer]], say: Answer, code: str
) -> None:
    rogue[1].append(say)
    answer = Caller(who, make(who, rogue[0])).invoke("git_status")
    assert (answer.status_code, answer.json()["code"]) == (502, code)


def test_a_stream_is_an_answer_too(who: Principal, rogue: tuple[str, list[Answer]]) -> None:
    def say(request: bytes) -> bytes:
        note = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}
        end = {"jsonrpc": "2.0", "id": asked(request), "result": {"content": []}}
        events = "".join(f"event: message\r\ndata: {json.dumps(each)}\r\n\r\n" for each in (note, end))
        return plain(b": hello\r\n\r\n" + events.encode(), "text/event-stream; charset=utf-8")

    rogue[1].append(say)
    answer = Caller(who, make(who, rogue[0])).invoke("any")
    assert answer.json()["data"] == {"content": [], "structuredContent": None, "isError": False}


def test_what_plainly_does_not_fit() -> None:
    schema = {
        "properties": {"a": {"type": "integer"}, "b": {"type": ["string", "null"]}, "c": {}},
        "required": ["a"],
        "additionalProperties": False,
    }
    assert misfits(schema, {"a": 1, "b": None, "c": []}) == {}
    assert misfits(schema, {"a": True, "b": 1, "d": 1}) == {
        "a": "Not of the right type.", "b": "Not of the right type.", "d": "Unknown.",
    }  # fmt: skip
    assert misfits(schema, {}) == {"a": "Required."}
    nonsense: Any
    for nonsense in (None, [], {"properties": []}, {"required": 1}, {"properties": {"a": 1}}):
        assert misfits(nonsense, {"a": 1}) == {}
