"""MCP over HTTP: every revision, cancellation in each way that clients have, bounds, what the platform asks."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp_types import BlobResourceContents, TextResourceContents

from gatehouse_workspace.tests.running import CLIENT, HEADERS, Workspace, said

REVISIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
READ_ONLY = {"read_file", "list_directory", "git_status", "git_log", "git_diff", "gitlab_search_operations"}


def post(workspace: Workspace, message: object, **headers: str) -> httpx2.Response:
    return CLIENT.post(f"{workspace.url}/mcp", json=message, headers={**HEADERS, **headers})


def rpc(method: str, params: object = None, number: int | str | None = 1) -> dict[str, object]:
    message: dict[str, object] = {"jsonrpc": "2.0", "method": method, "params": params or {}}
    return message if number is None else {**message, "id": number}


def sleepers(mark: str) -> str:
    return subprocess.run(
        ["pgrep", "-f", f"sleep {mark}"], capture_output=True, text=True, check=False
    ).stdout


async def until(condition: Any) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("revision", REVISIONS)
def test_handshake_revisions(workspace: Workspace, revision: str) -> None:
    params = {"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    answer = post(workspace, rpc("initialize", params))
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["result"]["protocolVersion"] == revision
    session = answer.headers["mcp-session-id"]
    told = {"MCP-Protocol-Version": revision, "Mcp-Session-Id": session}
    assert post(workspace, rpc("notifications/initialized", number=None), **told).status_code == 202
    tools = post(workspace, rpc("tools/list"), **told).json()["result"]["tools"]
    assert len(tools) >= 32
    call = rpc("tools/call", {"name": "git_status", "arguments": {}})
    assert post(workspace, call, **told).json()["result"]["isError"] is False
    # Nothing is kept: another process, or no session at all, would do.
    assert post(workspace, call, **{"MCP-Protocol-Version": revision}).json()["result"]["isError"] is False
    assert CLIENT.delete(f"{workspace.url}/mcp", headers=told).status_code == 200
    assert (
        CLIENT.get(f"{workspace.url}/mcp", headers={**HEADERS, "Accept": "text/event-stream"}).status_code
        == 405
    )


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
async def test_the_sdks_client(workspace: Workspace, here: Path, mode: str) -> None:
    (here / "100% é.txt").write_text("text")
    (here / "b").write_bytes(b"\0\1")
    async with Client(f"{workspace.url}/mcp", mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        hints = {name: tool.annotations for name, tool in tools.items() if tool.description and tool.title}
        assert hints.keys() == tools.keys()
        assert all(hint for hint in hints.values())
        assert all(getattr(hints[name], "read_only_hint", None) for name in READ_ONLY)
        assert getattr(hints["delete_file"], "destructive_hint", None)
        assert tools["git_status"].output_schema
        assert said(await client.call_tool("git_status", {})).startswith("On branch main")
        assert {str(item.uri) for item in (await client.list_resources()).resources} == {
            "workspace://git/status",
            "workspace://git/log",
            "workspace://tree",
        }
        text = (await client.read_resource(f"workspace://files/{here.name}/100%25%20%C3%A9.txt")).contents[0]
        assert isinstance(text, TextResourceContents)
        assert text.text == "text"
        data = (await client.read_resource(f"workspace://files/{here.name}/b")).contents[0]
        assert isinstance(data, BlobResourceContents)
        assert data.blob == "AAE="
        found = (await client.read_resource("workspace://git/status")).contents[0]
        assert "main" in getattr(found, "text", "")
        for path in ("../key", "%2e%2e/%2e%2e/etc/passwd", "nothing", "/etc/passwd"):
            with pytest.raises(Exception, match=r"outside|does not exist|Unknown|not"):
                await client.read_resource(f"workspace://files/{path}")
        assert {item.name for item in (await client.list_prompts()).prompts} >= {
            "review_changes",
            "fix_issue",
        }
        prompt = await client.get_prompt("fix_issue", {"project": "a/b", "issue": "7"})
        assert "projects/a%2Fb/issues/7" in getattr(prompt.messages[0].content, "text", "")


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_a_cancelled_call_ends_its_work(workspace: Workspace, mode: str) -> None:
    mark = f"77{len(mode)}.25"
    async with Client(f"{workspace.url}/mcp", mode=mode) as client:
        call = asyncio.ensure_future(
            client.call_tool("run_command", {"command": f"sleep {mark}; sleep {mark}"})
        )
        await until(lambda: sleepers(mark))
        assert workspace.status()["in_flight"] == 1
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await until(lambda: not sleepers(mark))
    await until(lambda: workspace.status()["in_flight"] == 0)


async def test_a_client_that_goes_away_ends_its_work(workspace: Workspace) -> None:
    async with httpx2.AsyncClient() as client:
        call = rpc("tools/call", {"name": "run_command", "arguments": {"command": "sleep 771.5"}})
        task = asyncio.ensure_future(client.post(f"{workspace.url}/mcp", json=call, headers=HEADERS))
        await until(lambda: sleepers("771.5"))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await until(lambda: not sleepers("771.5"))


async def test_a_cancellation_is_of_one_session_and_user(workspace: Workspace) -> None:
    own = {"Mcp-Session-Id": "one", "X-Gatehouse-User": "ann"}
    call = rpc("tools/call", {"name": "run_command", "arguments": {"command": "sleep 772.5"}}, number=5)
    task = asyncio.create_task(asyncio.to_thread(post, workspace, call, **own))
    await until(lambda: sleepers("772.5"))
    cancel = rpc("notifications/cancelled", {"requestId": 5}, number=None)
    for other in (
        {"Mcp-Session-Id": "two", "X-Gatehouse-User": "ann"},
        {**own, "X-Gatehouse-User": "bob"},
        {},
    ):
        assert post(workspace, cancel, **other).status_code == 202
    await asyncio.sleep(0.3)
    assert sleepers("772.5")
    assert post(workspace, cancel, **own).status_code == 202
    assert ((await task).status_code, (await task).content) == (202, b"")
    await until(lambda: not sleepers("772.5"))


def test_foreign_hosts_and_origins_are_refused(workspace: Workspace) -> None:
    assert post(workspace, rpc("ping"), Host="evil.example").status_code == 421
    assert post(workspace, rpc("ping"), Origin="https://evil.example").status_code == 403
    assert post(workspace, rpc("ping"), Host="localhost:8080").status_code == 200


def test_requests_are_bounded(workspace: Workspace) -> None:
    answer = CLIENT.post(f"{workspace.url}/mcp", content=b" " * (13 * 1024 * 1024), headers=HEADERS)
    assert answer.status_code == 413
    for content in (b"", b"{", b"[]", b"7", b'{"jsonrpc":"2.0"}', b"\xff", b"[" * 100_000):
        headers = {**HEADERS, "Content-Type": "application/json"}
        answer = CLIENT.post(f"{workspace.url}/mcp", content=content, headers=headers)
        assert answer.status_code == 400, content[:20]


def test_what_the_platform_asks(workspace: Workspace) -> None:
    assert CLIENT.get(f"{workspace.url}/healthz").json() == {"status": "ok"}
    before = time.time() - 1
    post(workspace, rpc("ping"))
    found = workspace.status()
    assert found["repository"] == "ready"
    assert before < found["last_request_at"] < time.time() + 1
    assert (found["in_flight"], found["connections"], found["error"]) == (0, 0, "")
    assert CLIENT.get(f"{workspace.url}/elsewhere").status_code == 404
    time.sleep(0.01)
    assert workspace.status()["last_request_at"] == found["last_request_at"]


async def test_commands(workspace: Workspace, here: Path) -> None:
    found = await workspace.call(
        "run_command", command="cat; echo err >&2; pwd", directory=here.name, stdin="in\n"
    )
    assert found.structured_content == {
        "exit_code": 0,
        "stdout": f"in\n{here}\n",
        "stderr": "err\n",
        "truncated": False,
    }
    assert "Exit code 3" in await workspace.refused("run_command", command="exit 3")
    assert "Stopped after 0.2 seconds" in await workspace.refused(
        "run_command", command="sleep 773", time_limit=0.2
    )
    found = await workspace.call("run_command", command="seq 1 200000")
    assert found.structured_content is not None
    assert found.structured_content["stdout"].startswith("1\n2\n")
    assert found.structured_content["stdout"].endswith("199999\n200000\n")
    assert len(json.dumps(found.structured_content)) < 300_000
    for quiet in (
        ">/dev/null 2>&1",
        "",
    ):  # a background process that keeps the output open does not hold the call
        assert "begun" in await workspace.text(
            "run_command", command=f"sleep 774 {quiet} & echo begun", time_limit=50
        )
        await until(lambda: not sleepers("774"))
    assert "outside" in await workspace.refused("run_command", command="true", directory="..")
