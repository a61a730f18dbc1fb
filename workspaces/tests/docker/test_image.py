"""The real image, as the provider runs it: an MCP client finds the server's tools in it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any

import pytest

from workspaces.providers.base import Spec
from workspaces.providers.docker import DockerProvider
from workspaces.tests.provider_contract import eventually

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "tests", "version": "1"},
    },
}


def call(address: str, body: dict[str, Any]) -> Any:
    """One message to /mcp; what answers it, be it JSON or an event stream."""
    connection = http.client.HTTPConnection(address, 8080, timeout=10)
    headers = {
        "Host": "localhost:8080",  # as the edge writes it
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2025-11-25",
    }
    try:
        connection.request("POST", "/mcp", json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    assert answer.status == 200, text
    data = [line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:")]
    return json.loads(data[-1] if data else text)


def status(address: str) -> Any:
    connection = http.client.HTTPConnection(address, 8080, timeout=10)
    try:
        connection.request("GET", "/status", headers={"Host": "localhost:8080"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


@pytest.mark.long
def test_a_workspace_answers_an_mcp_client(provider: DockerProvider, spec: Callable[..., Spec]) -> None:
    wanted = spec(command=(), environment={"GATEHOUSE_WORKSPACE": "try", "GATEHOUSE_RUN_COMMAND": "1"})
    address = provider.ensure(wanted, running=True).address
    answer = eventually(lambda: call(address, INITIALIZE))
    assert answer["result"]["serverInfo"]["name"]
    told = call(address, {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}})
    names = {tool["name"] for tool in told["result"]["tools"]}
    assert {"git_status"} <= names, names
    eventually(lambda: status(address)["repository"] == "ready")
    ran = call(
        address,
        {
            "jsonrpc": "2.0",
            "id": 3,
            "method": "tools/call",
            "params": {"name": "git_status", "arguments": {}},
        },
    )
    assert not ran["result"].get("isError"), ran
    terminal = provider.execute(wanted.key, ("git", "-C", "/workspace", "status"), columns=80, rows=24)
    read = b""
    while more := terminal.read():
        read += more
    terminal.close()
    assert b"On branch main" in read
    written = b"".join(provider.logs(wanted.key))
    assert b"Traceback" not in written, written
