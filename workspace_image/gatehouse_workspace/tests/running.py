"""A workspace's server as a real process, and what tests ask of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from mcp_types import CallToolResult

from tests.ports import free_port

PACKAGE = Path(__file__).parents[2]
PATIENCE = 60
HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}


CLIENT = httpx2.Client(timeout=PATIENCE, verify=False, trust_env=False)
"""One for all: each would read the system's certificates anew."""


@dataclass
class Workspace:
    url: str
    root: Path
    process: subprocess.Popen[bytes]
    log: Path
    headers: dict[str, str] = field(default_factory=dict)

    async def call(self, tool: str, /, **arguments: Any) -> CallToolResult:
        """Call a tool by one request, as any client of the stateless server may."""
        params = {"name": tool, "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {**HEADERS, **self.headers}
        found = await asyncio.to_thread(CLIENT.post, f"{self.url}/mcp", json=message, headers=headers)
        return CallToolResult.model_validate(found.json()["result"])

    async def text(self, tool: str, /, **arguments: Any) -> str:
        """The text of a call that goes well."""
        found = await self.call(tool, **arguments)
        assert not found.is_error, said(found)
        return said(found)

    async def refused(self, tool: str, /, **arguments: Any) -> str:
        """The text of a call that is an error for the model to read."""
        found = await self.call(tool, **arguments)
        assert found.is_error, said(found)
        assert "Traceback" not in said(found)
        return said(found)

    def status(self) -> dict[str, Any]:
        return dict(CLIENT.get(f"{self.url}/status").json())

    def until(self, state: str) -> dict[str, Any]:
        """The status once the repository is in that state."""
        end = time.monotonic() + PATIENCE
        while (found := self.status())["repository"] != state:
            assert time.monotonic() < end, found
            time.sleep(0.02)
        return found


def said(found: CallToolResult) -> str:
    return "\n".join(getattr(part, "text", "") for part in found.content)


@contextlib.contextmanager
def running(
    root: Path,
    *,
    module: str = "gatehouse_workspace",
    wait: bool = True,
    given: Mapping[str, str] | None = None,
    **environment: str,
) -> Iterator[Workspace]:
    """Start the server on `root` with nothing of the tests' own environment, and end it."""
    root.mkdir(exist_ok=True)
    port = free_port()
    home = root.parent / f"{root.name}-home"
    home.mkdir(exist_ok=True)
    log = home / "log"
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PACKAGE),
        "HOME": str(home),
        "GATEHOUSE_ROOT": str(root),
        "GATEHOUSE_PORT": str(port),
        **(given or {}),
        **environment,
    }
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", module], env=env, stdout=file, stderr=file, cwd=home
        )
    try:
        found = Workspace(f"http://127.0.0.1:{port}", root, process, log)
        if wait:
            _answers(found)
        yield found
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def _answers(workspace: Workspace) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(httpx2.TransportError):
            if CLIENT.get(f"{workspace.url}/healthz").status_code == 200:
                return
        assert workspace.process.poll() is None, workspace.log.read_text()
        assert time.monotonic() < end, workspace.log.read_text()
        time.sleep(0.02)


def git(folder: Path, *arguments: str) -> str:
    """Git as the tests themselves use it, without the machine's configuration."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ann",
        "GIT_AUTHOR_EMAIL": "ann@example.com",
        "GIT_COMMITTER_NAME": "Ann",
        "GIT_COMMITTER_EMAIL": "ann@example.com",
    }
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def repository(folder: Path, **files: str) -> Path:
    """A repository with one commit of `files` (a.txt when there are none)."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    for name, content in (files or {"a": "one\ntwo\n"}).items():
        (folder / f"{name}.txt").write_text(content)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=first")
    return folder
