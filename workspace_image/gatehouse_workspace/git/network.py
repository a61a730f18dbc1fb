"""Git over the network: credentials by host, progress to the client, an end when the client goes away."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from mcp.server.mcpserver.context import Context
from mcp.server.mcpserver.exceptions import ToolError

from gatehouse_workspace.git import credentials as credential
from gatehouse_workspace.git.command import MAX_OUTPUT, complaint, environment, hardened, scrubbed
from gatehouse_workspace.process import Output, run

SECONDS = 1800.0
INTERVAL = 0.25
STEP = re.compile(r"^(?:remote: )?(?P<what>[A-Z][A-Za-z ]+):\s+(?P<percent>\d{1,3})% ")

Report = Callable[[float, str], None]


async def git(
    folder: int,
    *arguments: str,
    credentials: Sequence[credential.Credential],
    ca_file: str | None,
    what: str,
    report: Report | None = None,
    inside: bool = True,
) -> Output:
    """Run a git command that talks to a remote. `inside` is False for `clone`, which no repository holds yet.

    Raises ToolError, with a reason for people where git's words are known, and never with a credential.
    """
    configured, variables = credential.settings(credentials)
    if ca_file:
        configured["http.sslCAInfo"] = ca_file
    place = {"GIT_DIR": ".git", "GIT_WORK_TREE": "."} if inside else {}
    output = await run(
        hardened(arguments),
        folder=folder,
        environment=environment(configured, **place, **variables),
        limit=MAX_OUTPUT,
        seconds=SECONDS,
        stop_when_full=False,
        progress=_progress(report) if report else None,
    )
    if output.timed_out:
        raise ToolError(f"{what}: stopped after {SECONDS / 60:g} minutes")
    if output.code != 0:
        raise ToolError(f"{what}: {_why(output, credential.secrets(credentials))}")
    return output


def _why(output: Output, secrets: Sequence[str]) -> str:
    text = (output.stderr + output.stdout).decode(errors="replace")
    words = scrubbed(complaint(text), secrets)
    reason = credential.reason(text)
    return f"{reason}. Git says: {words}" if reason else words or f"git ended with status {output.code}"


def _progress(report: Report) -> Callable[[str], None]:
    last = 0.0

    def take(line: str) -> None:
        nonlocal last
        step = STEP.match(line)
        if step is None or time.monotonic() - last < INTERVAL:
            return
        last = time.monotonic()
        report(float(step["percent"]), step["what"])

    return take


def reporter(ctx: Context[Any, Any]) -> tuple[Report, set[asyncio.Task[None]]]:
    """Progress notifications. Their values only rise, as the protocol wants: git begins each step at 0 again."""
    tasks: set[asyncio.Task[None]] = set()
    done, step, percent_before = 0.0, "", 0.0

    def report(percent: float, what: str) -> None:
        nonlocal done, step, percent_before
        if what != step:
            step, done, percent_before = what, done + percent_before, 0.0
        if percent <= percent_before and percent_before:
            return
        percent_before = percent
        task = asyncio.ensure_future(ctx.report_progress(done + percent, message=f"{what}: {percent:g}%"))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return report, tasks
