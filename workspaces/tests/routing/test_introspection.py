"""What a workspace may ask about its callers, and that nobody else may."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from typing import Any

import httpx
import pytest

from gateway.api.ratelimit import neighbourhood
from gateway.db.scope import platform_scope
from tenants.models import Membership
from tenants.principal import Principal
from tests import factories
from tests.stack import listens
from workspaces import container_gateway
from workspaces.addresses import virtual_address
from workspaces.models import Workspace
from workspaces.routing.introspection import PATH

from .conftest import Platform
from .test_forwarding import told


def ask(
    platform: Platform, address: str, token: str, *, method: str = "POST", more: str = ""
) -> tuple[int, Any]:
    """A request as the runner of sandboxes passes it on: with the sandbox's address in the PROXY line."""
    body = json.dumps({"token": token}) if method == "POST" else ""
    lines = [
        f"PROXY TCP6 {address} ::1 4000 80",
        f"{method} {PATH} HTTP/1.1",
        "Host: 127.0.0.1:8090",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *([more] if more else []),
    ]
    with socket.socket(socket.AF_UNIX) as edge:
        edge.settimeout(30)
        edge.connect(str(platform.stack.home / "run" / "plain.sock"))
        edge.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        said = b""
        with suppress(ConnectionResetError):  # after an answer that did not wait for the body
            while part := edge.recv(65536):
                said += part
    head, _, text = said.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    return status, json.loads(text) if status == 200 else None


@pytest.fixture
def row(platform: Platform) -> Workspace:
    return platform.workspace(platform.member(platform.tenant()))


@pytest.fixture
def owner(platform: Platform, row: Workspace) -> Principal:
    with platform.stack.database(), platform_scope("tests"):
        rows = Membership.objects.select_related("user", "tenant__settings", "role")
        return factories.principal(rows.get(user_id=row.owner_id))


def expected(who: Principal) -> tuple[int, dict[str, object]]:
    assert who.user is not None
    return 200, {"active": True, "user_id": str(who.user.public_id), "role": who.role}


INACTIVE = (200, {"active": False})


def test_each_form_of_credential(
    platform: Platform, row: Workspace, owner: Principal, bearer: dict[str, str]
) -> None:
    at = virtual_address(row.offset)
    assertion = told(platform, "POST", "/ws/dev/mcp", bearer)["headers"]["x-gatehouse-assertion"]
    key = bearer["Authorization"].partition(" ")[2]
    jwt = platform.token(owner).partition(" ")[2]
    assert [ask(platform, at, token) for token in (assertion, key, jwt)] == [expected(owner)] * 3


@pytest.mark.parametrize("token", ["", "gha_", "gha_AAAA", "mcp_x_y", "a.b.c", "x" * 5000])
def test_what_is_no_credential(platform: Platform, row: Workspace, token: str) -> None:
    assert ask(platform, virtual_address(row.offset), token) == INACTIVE


def test_who_does_not_reach_that_workspace(platform: Platform, row: Workspace, owner: Principal) -> None:
    at = virtual_address(row.offset)
    assert ask(platform, at, platform.key(platform.member(owner.tenant))) == INACTIVE
    assert ask(platform, at, platform.key(platform.member(platform.tenant(), "admin"))) == INACTIVE
    boss = platform.member(owner.tenant, "admin")
    assert ask(platform, at, platform.key(boss)) == expected(boss)


def test_an_assertion_is_for_one_workspace_and_opens_nothing(
    platform: Platform, row: Workspace, owner: Principal, bearer: dict[str, str]
) -> None:
    assertion = told(platform, "POST", "/ws/dev/mcp", bearer)["headers"]["x-gatehouse-assertion"]
    other = platform.workspace(owner, "other")
    assert ask(platform, virtual_address(other.offset), assertion) == INACTIVE
    for path in ("/ws/dev/mcp", "/api/v1/auth/me"):
        assert platform.http.get(path, headers={"Authorization": f"Bearer {assertion}"}).status_code == 401


def test_nobody_else_may_ask(platform: Platform, row: Workspace, bearer: dict[str, str]) -> None:
    key = bearer["Authorization"].partition(" ")[2]
    answer = platform.http.post(PATH, json={"token": key}, headers=bearer | {"X-Gw-Workspace": row.key})
    assert answer.status_code == 404
    for path in (
        "/internal/auth%2Fintrospect",
        "/internal//auth/introspect",
        "/api/../internal/auth/introspect",
    ):
        for name in ("X-Gw-Workspace", "X_Gw_Workspace", "x-gw_workspace", "X.Gw.Workspace"):
            answer = platform.http.post(path, json={"token": key}, headers=bearer | {name: row.key})
            assert answer.status_code == 404, (path, name)
    assert ask(platform, virtual_address(60_001), key) == (404, None)
    assert ask(platform, virtual_address(row.offset), key, method="GET") == (405, None)
    outsider = ask(platform, "2001:db8::1", key, more=f"X-Forwarded-For: {virtual_address(row.offset)}")
    assert outsider == (404, None)


def test_a_container_asks_at_its_networks_gateway(platform: Platform) -> None:
    """By its own address; Linux has all of 127/8, so that one stands for the network here."""
    gateway, inside, outside = "127.0.0.2", "127.0.0.7", "127.0.0.8"
    boss = platform.member(platform.tenant(), "admin")
    platform.workspace(boss, "contained", address=inside)
    container_gateway.remember(platform.stack.home, gateway)
    until = time.monotonic() + 30
    while not listens((gateway, platform.stack.port)):
        assert time.monotonic() < until
        time.sleep(0.05)
    key = platform.key(boss)

    def asked_from(source: str) -> httpx.Response:
        transport = httpx.HTTPTransport(local_address=source)
        with httpx.Client(transport=transport, base_url=f"http://{gateway}:{platform.stack.port}") as http:
            return http.post(PATH, json={"token": key}, timeout=20)

    assert asked_from(inside).json() == expected(boss)[1]
    assert asked_from(outside).status_code == 404


def test_sandboxes_are_counted_one_by_one() -> None:
    """One that asks without end takes no turns from others."""
    assert neighbourhood(virtual_address(1)) != neighbourhood(virtual_address(2))
