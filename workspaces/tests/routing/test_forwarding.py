"""What reaches the server in a workspace, and what of its answers reaches the client."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest
from websockets.sync.client import connect

from tenants.principal import Principal
from workspaces import assertions

from .conftest import Platform

MCP = "/ws/dev/mcp"


def told(platform: Platform, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Any:
    """What the server says it was asked, with the path as it was on the wire."""
    connection = http.client.HTTPConnection("127.0.0.1", platform.stack.port, timeout=20)
    connection.request(method, target, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status == 200, text
    return json.loads(text)


def test_the_caller_is_named_and_the_credential_stays_here(
    platform: Platform, owner: Principal, bearer: dict[str, str]
) -> None:
    sent = {
        "X-API-Key": "mcp_another",
        "X-Tenant": owner.tenant.slug,
        "Cookie": "gatehouse_session_1=x; own=y",
        "X-Gatehouse-User": "somebody else",
        "X-Gatehouse-Admin": "1",
        "X-Gw-Workspace": "w-0",
        "Mcp-Session-Id": "abc",
        "Origin": platform.stack.url,
    }
    said = told(platform, "POST", MCP, bearer | sent, b"{}")
    headers = said["headers"]
    assert owner.user is not None
    assert headers["x-gatehouse-user"] == str(owner.user.public_id)
    assert (headers["x-gatehouse-role"], headers["x-gatehouse-tenant"]) == ("member", owner.tenant.slug)
    assert headers["x-gatehouse-assertion"].startswith(assertions.PREFIX)
    assert (headers["host"], headers["origin"]) == ("localhost:8080", "http://localhost:8080")
    assert headers["mcp-session-id"] == "abc"
    gone = ("authorization", "x-api-key", "x-tenant", "cookie", "x-gatehouse-admin")
    assert not [name for name in headers if name in gone or name.startswith("x-gw-")]
    assert (said["method"], said["target"], said["body"]) == ("POST", "/mcp", "{}")


@pytest.mark.parametrize(
    ("asked", "arrives"),
    [
        (MCP, "/mcp"),
        (MCP + "/", "/mcp"),
        (MCP + "?a=%2F&b", "/mcp?a=%2F&b"),
        ("/ws/dev/app/", "/"),
        ("/ws/dev/3000/", "/"),
        ("/ws/dev/app/a%2Fb//c%20d/../e?x=%zz&y=$1", "/a%2Fb//c%20d/../e?x=%zz&y=$1"),
    ],
)
def test_paths_arrive_as_they_are(
    platform: Platform, bearer: dict[str, str], asked: str, arrives: str
) -> None:
    assert told(platform, "GET", asked, bearer)["target"] == arrives


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_passes(platform: Platform, bearer: dict[str, str], method: str) -> None:
    said = told(platform, method, "/ws/dev/app/x", bearer)
    assert (said["method"], said["headers"]["host"]) == (method, "localhost:3000")


def test_head_has_no_body(platform: Platform, bearer: dict[str, str]) -> None:
    answer = platform.http.head("/ws/dev/app/x", headers=bearer)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("place", ["8080", "3001", "nothing", "mcp/more"])
def test_other_ports_are_not_reached(platform: Platform, bearer: dict[str, str], place: str) -> None:
    answer = platform.http.get(f"/ws/dev/{place}/", headers=bearer)
    assert (answer.status_code, answer.json()["code"]) == (404, "port_not_declared")


def test_a_port_without_a_slash_is_led_to_it(platform: Platform, bearer: dict[str, str]) -> None:
    """Or a page's relative links would miss the port."""
    answer = platform.http.get("/ws/dev/app?x=1", headers=bearer)
    assert (answer.status_code, answer.headers["location"]) == (308, "/ws/dev/app/?x=1")


def test_a_strangers_answer_says_nothing_of_our_site(platform: Platform, bearer: dict[str, str]) -> None:
    headers = platform.http.get("/ws/dev/app/wide", headers=bearer).headers
    for name in ("set-cookie", "clear-site-data", "access-control-allow-origin", "service-worker-allowed"):
        assert name not in headers
    assert "strict-transport-security" not in headers
    assert (
        headers["content-security-policy"] == "sandbox allow-scripts allow-forms allow-popups allow-downloads"
    )
    assert platform.http.get("/ws/dev/app/elsewhere", headers=bearer).headers["location"] == "/else"


def test_streams_pass(platform: Platform, bearer: dict[str, str]) -> None:
    with platform.http.stream("GET", "/ws/dev/app/events", headers=bearer) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert [line for line in answer.iter_lines() if line] == ["data: 0", "data: 1", "data: 2"]
    url = f"ws://127.0.0.1:{platform.stack.port}/ws/dev/app/socket"
    with connect(url, additional_headers=bearer, proxy=None) as socket:
        socket.send("hello")
        assert socket.recv(timeout=30) == "back: hello"
