"""The examples, as their README has them run, against a workspace's real server behind the real edge."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import temporal_activities
from temporal_activities import ToolCall, WorkspaceActivities
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from workspaces.tests.routing.conftest import Platform, inside, platform
from workspaces.tests.server import server

from .stack import ROOT

__all__ = ["inside", "platform"]


@dataclass(frozen=True, slots=True)
class At:
    """A workspace `dev` whose tools run commands, and a key of its owner's."""

    url: str
    key: str
    id: str


@pytest.fixture(scope="module")
def at(platform: Platform) -> Iterator[At]:
    owner = platform.member(platform.tenant())
    with server(GATEHOUSE_RUN_COMMAND="1") as address:
        row = platform.workspace(owner, address=address)
        yield At(platform.stack.url, platform.key(owner), str(row.public_id))


def client(at: At, *arguments: str, key: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "examples" / "mcp_client.py", *arguments],
        env={"GATEHOUSE_URL": at.url, "GATEHOUSE_API_KEY": at.key if key is None else key},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_client_lists_and_calls_tools(at: At) -> None:
    listed = client(at, "dev")
    assert {"git_status", "read_file"} <= {line.split()[0] for line in listed.stdout.splitlines()}
    assert "On branch main" in client(at, "dev", "git_status").stdout
    assert client(at, "dev", "write_file", '{"path": "a/README.md", "content": "hällo"}').returncode == 0
    assert client(at, "dev", "read_file", '{"path": "a/README.md"}').stdout == "hällo\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("dev", "read_file", '{"path": "none"}'), 1, "does not exist"),
        (("dev", "no_such_tool"), 1, "Unknown tool"),
        (("dev", "read_file", "{"), 2, "Expecting"),
        (("other", "git_status"), 2, "404: No such workspace."),
        ((), 2, "WORKSPACE [TOOL [JSON]]"),
    ],
)
def test_the_client_says_what_is_wrong(at: At, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = client(at, *arguments)
    assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done


def test_the_client_without_a_key_is_told_so(at: At) -> None:
    done = client(at, "dev", key="mcp_wrong")
    assert (done.returncode, done.stderr[:4]) == (2, "401:")


@pytest.fixture
def activities(at: At, monkeypatch: pytest.MonkeyPatch) -> WorkspaceActivities:
    monkeypatch.setenv("NO_PROXY", "*")
    return WorkspaceActivities(at.url, at.key)


async def test_activities_call_tools(at: At, activities: WorkspaceActivities) -> None:
    run = ActivityEnvironment().run
    assert {"git_status", "run_command"} <= set(await run(activities.list_tools, at.id))
    status = await run(activities.invoke_tool, ToolCall(at.id, "git_status"))
    assert status.structured is not None
    assert ("On branch main" in status.text, status.structured["branch"]) == (True, "main")
    wrote = await run(activities.invoke_tool, ToolCall(at.id, "write_file", {"path": "b", "content": "c"}))
    assert (wrote.text, wrote.structured) == ("Made b (1 bytes)", None)


@pytest.mark.parametrize(
    ("call", "kind", "is_final"),
    [
        (ToolCall("", "read_file", {"path": "none"}), "ToolFailed", True),
        (ToolCall("", "no_such_tool"), "tool_not_found", True),
        (ToolCall("", "read_file", {"path": 5}), "invalid_parameters", True),
        (ToolCall("6a1f7a52-2a5c-4f0e-9d5e-0c5f0d2c9f11", "git_status"), "workspace_not_found", True),
        (ToolCall("", "run_command", {"command": "sleep 60"}, timeout_seconds=1), "tool_timeout", False),
    ],
)
async def test_what_no_try_can_mend_is_final(
    at: At, activities: WorkspaceActivities, call: ToolCall, kind: str, is_final: bool
) -> None:
    asked = ToolCall(call.workspace_id or at.id, call.tool, call.parameters, call.timeout_seconds)
    with pytest.raises(ApplicationError) as told:
        await ActivityEnvironment().run(activities.invoke_tool, asked)
    assert (told.value.type, told.value.non_retryable) == (kind, is_final)


async def test_where_nothing_answers_it_is_tried_again(at: At) -> None:
    with pytest.raises(ApplicationError) as told:
        await ActivityEnvironment().run(WorkspaceActivities("http://127.0.0.1:1", "x").list_tools, at.id)
    assert (told.value.type, told.value.non_retryable) == ("unreachable", False)


async def test_an_activity_beats_and_can_be_cancelled(
    at: At, activities: WorkspaceActivities, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporal_activities, "HEARTBEAT_SECONDS", 0.05)
    environment, beaten = ActivityEnvironment(), asyncio.Event()
    environment.on_heartbeat = lambda *details: beaten.set()
    call = ToolCall(at.id, "run_command", {"command": "sleep 60"}, timeout_seconds=3)
    running = asyncio.ensure_future(environment.run(activities.invoke_tool, call))
    await asyncio.wait_for(beaten.wait(), 30)
    environment.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 30)
