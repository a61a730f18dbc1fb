"""WebSockets end to end."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from realtime.tests.clients import cookie, emit
from realtime.tests.conftest import Live
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def open_socket(live: Live, query: str = "", **headers: str) -> ClientConnection:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return connect(
        f"ws://127.0.0.1:{live.port}/api/v1/realtime/ws?{query}", additional_headers=given, proxy=None
    )


def take(socket: ClientConnection, count: int) -> list[dict[str, Any]]:
    return [json.loads(socket.recv(timeout=30)) for _ in range(count)]


def test_events_arrive_one_per_text_frame(live: Live) -> None:
    reader = factories.member(factories.tenant())
    with open_socket(live, "types=storage.object.*", Authorization=factories.bearer(reader)) as socket:
        emit(reader.tenant.pk, "other", kind="storage.bucket.created")
        (event_id,) = emit(reader.tenant.pk, "b/k", size=3)
        frame = socket.recv(timeout=30)
    assert isinstance(frame, str)
    event = json.loads(frame)
    assert (event["id"], event["subject"], event["data"]) == (event_id, "b/k", {"size": 3})


def test_a_socket_resumes_after_an_id(live: Live) -> None:
    reader = factories.member(factories.tenant())
    first, *_ = emit(reader.tenant.pk, "1", "2", "3")
    with open_socket(live, f"last_event_id={first}", Authorization=factories.bearer(reader)) as socket:
        emit(reader.tenant.pk, "4")
        assert [event["subject"] for event in take(socket, 3)] == ["2", "3", "4"]


def test_a_ping_is_answered(live: Live) -> None:
    reader = factories.member(factories.tenant())
    with open_socket(live, Authorization=factories.bearer(reader)) as socket:
        for _ in range(2):
            socket.send('{"type": "ping"}')
            assert take(socket, 1) == [{"type": "pong"}]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("hello", 1008),
        ('{"type": "subscribe"}', 1008),
        ('{"type": "ping", "more": 1}', 1008),
        ("[" * 5000, 1008),
        (b'{"type": "ping"}', 1003),
    ],
)
def test_any_other_message_ends_the_connection(live: Live, message: str | bytes, code: int) -> None:
    reader = factories.member(factories.tenant())
    with open_socket(live, Authorization=factories.bearer(reader)) as socket:
        socket.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code
    assert closed.value.rcvd.reason


def test_refusals_come_with_a_status_before_the_socket_opens(live: Live) -> None:
    who = factories.member(factories.tenant())
    bearer, other = factories.bearer(who), factories.tenant()
    own = f"http://127.0.0.1:{live.port}"
    for query, headers, status, code in (
        ("", {}, 401, "unauthenticated"),
        ("", {"Authorization": "Bearer nonsense"}, 401, "unauthenticated"),
        ("ticket=unknown", {}, 401, "unauthenticated"),
        ("", {"Authorization": bearer, "X_Tenant": other.slug}, 404, "tenant_not_found"),
        ("channels=nothing", {"Authorization": bearer}, 400, "invalid"),
        ("last_event_id=x", {"Authorization": bearer}, 400, "invalid"),
        ("", {"Cookie": cookie(who)}, 403, "origin_refused"),
        ("", {"Cookie": cookie(who), "Origin": "https://evil.example"}, 403, "origin_refused"),
        ("", {"Cookie": cookie(who), "Origin": own + "0"}, 403, "origin_refused"),
        ("", {"Cookie": cookie(who), "Origin": "http://["}, 403, "origin_refused"),
        ("", {"Cookie": cookie(who), "Origin": "null"}, 403, "origin_refused"),
    ):
        with pytest.raises(InvalidStatus) as refused:
            open_socket(live, query, **headers)
        answer = refused.value.response
        assert answer.status_code == status, (query, headers)
        assert json.loads(answer.body or b"{}")["code"] == code
        assert answer.headers["content-type"] == "application/problem+json"
    with open_socket(live, Cookie=cookie(who), Origin=own) as socket:
        emit(who.tenant.pk, "seen")
        assert take(socket, 1)[0]["subject"] == "seen"


def test_no_other_path_takes_a_socket(live: Live) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{live.port}/api/v1/events", proxy=None)
    assert refused.value.response.status_code == 404


def test_a_restart_closes_sockets_as_going_away(
    live_with: Callable[..., AbstractContextManager[Live]],
) -> None:
    who = factories.member(factories.tenant())
    with live_with() as live, open_socket(live, Authorization=factories.bearer(who)) as socket:
        live.terminate()
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
