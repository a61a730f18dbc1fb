"""Temporal activities that call the tools of workspaces over the REST bridge (`POST /api/v1/mcp/invoke`).

A worker offers them like this::

    client = await Client.connect("localhost:7233")
    workspaces = WorkspaceActivities("https://gatehouse.example", api_key)
    await Worker(client, task_queue="workspaces", workflows=[Review], activities=workspaces.all()).run()

and a workflow calls one, here with tries that stop at what no try can mend::

    status = await workflow.execute_activity(
        "invoke_tool",
        ToolCall(workspace_id, "git_status"),
        start_to_close_timeout=timedelta(minutes=5),
        heartbeat_timeout=timedelta(seconds=30),
        retry_policy=RetryPolicy(maximum_attempts=5),
    )
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from temporalio import activity
from temporalio.exceptions import ApplicationError

HEARTBEAT_SECONDS = 5.0
_LATER = frozenset({408, 429, 502, 503, 504})
"""What another try may mend; every other refusal is final."""


@dataclass
class ToolCall:
    """`parameters` are the tool's own; `timeout_seconds` (1 to 100) is how long the tool may take."""

    workspace_id: str
    tool: str
    parameters: dict[str, Any] = field(default_factory=dict)
    timeout_seconds: int = 60


@dataclass
class ToolResult:
    """What the tool said: its text, and its structured content where it has one."""

    text: str
    structured: dict[str, Any] | None = None


class WorkspaceActivities:
    """The activities of one account: `api_key` needs the permission `workspace.use`."""

    def __init__(self, url: str, api_key: str) -> None:
        self._base = url.rstrip("/") + "/api/v1"
        self._headers = {"Authorization": f"Bearer {api_key}"}

    def all(self) -> list[Callable[..., Any]]:
        """For `Worker(activities=…)`."""
        return [self.invoke_tool, self.list_tools]

    @activity.defn(name="invoke_tool")
    async def invoke_tool(self, call: ToolCall) -> ToolResult:
        """Call a tool, and heartbeat meanwhile. A cancelled activity ends; its tool may run on to `timeout_seconds`.

        Raises ApplicationError: `ToolFailed` (not tried again) where the tool says that it failed, else the
        platform's code, tried again where it may pass by itself.
        """
        body: dict[str, Any] = {"workspace_id": call.workspace_id, "tool": call.tool}
        body |= {"parameters": call.parameters, "timeout": call.timeout_seconds}
        told = await self._beating(self._ask("POST", "/mcp/invoke", call.timeout_seconds + 15, json=body))
        text = "\n".join(block.get("text", "") for block in told["content"])
        if told.get("isError"):
            raise ApplicationError(text or "The tool failed.", type="ToolFailed", non_retryable=True)
        return ToolResult(text, told.get("structuredContent"))

    @activity.defn(name="list_tools")
    async def list_tools(self, workspace_id: str) -> list[str]:
        """The names of a workspace's tools."""
        told = await self._ask("GET", "/mcp/tools", 60, params={"workspace_id": workspace_id})
        tools = told["tools"] if isinstance(told, dict) else told
        return [tool["name"] for tool in tools]

    async def _ask(self, method: str, path: str, seconds: float, **content: Any) -> Any:
        try:
            async with httpx.AsyncClient(timeout=seconds, headers=self._headers) as http:
                answer = await http.request(method, self._base + path, **content)
        except httpx.HTTPError as error:
            raise ApplicationError(f"No answer: {error!r}", type="unreachable") from error
        if answer.is_success:
            return answer.json()["data"]
        told = _problem(answer)
        raise ApplicationError(
            told.get("detail", answer.reason_phrase),
            type=told.get("code", "refused"),
            non_retryable=answer.status_code not in _LATER,
        )

    async def _beating(self, work: Any) -> Any:
        """Await `work`, telling the server now and then that we live; that is how a cancellation reaches us."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=HEARTBEAT_SECONDS))[0]:
                activity.heartbeat()
        except asyncio.CancelledError:
            task.cancel()
            raise
        return task.result()


def _problem(answer: httpx.Response) -> dict[str, Any]:
    """The members of an RFC 9457 body; empty where a proxy in between answered."""
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
