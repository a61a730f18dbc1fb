"""Running a command in the workspace; there only where the template allows it."""

from __future__ import annotations

import os
from typing import Annotated

from mcp_types import CallToolResult
from pydantic import BaseModel, Field

from gatehouse_workspace.process import run
from gatehouse_workspace.root import FOLDER, Root
from gatehouse_workspace.tools import answer

MAX_OUTPUT = 128 * 1024
PRIVATE = ("GATEHOUSE_GIT_", "GATEHOUSE_ASK_")


class Ended(BaseModel):
    """How a command ended."""

    exit_code: int | None = Field(
        description="negative: ended by that signal; null: stopped by the time limit"
    )
    stdout: str
    stderr: str
    truncated: bool = Field(description="the middle of the output was left out")


class CommandTools:
    """Its method is a tool. The sandbox is the border: a command may do what the workspace may."""

    def __init__(self, root: Root) -> None:
        self._root = root

    async def run_command(
        self,
        command: Annotated[str, Field(description="Given to sh -c", min_length=1, max_length=100_000)],
        directory: Annotated[str, Field(description="Where it runs", min_length=1)] = ".",
        time_limit: Annotated[float, Field(gt=0, le=3600, description="Seconds")] = 60,
        stdin: Annotated[str, Field(max_length=1_000_000)] = "",
    ) -> Annotated[CallToolResult, Ended]:
        """Run a shell command in the workspace. It ends, with all that it started, when it is done, after the
        time_limit, and when the call is cancelled. Long output loses its middle. A server that shall go on, as for a
        declared port: `setsid SERVER >server.log 2>&1 </dev/null &`."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE)}
        with self._root.open(directory, FOLDER) as folder:
            output = await run(
                ["/bin/sh", "-c", command],
                folder=folder,
                environment=kept,
                limit=MAX_OUTPUT,
                seconds=time_limit,
                stdin=stdin.encode(errors="replace") if stdin else None,
                stop_when_full=False,
            )
        ended = Ended(
            exit_code=None if output.timed_out else output.code,
            stdout=output.stdout.decode(errors="replace"),
            stderr=output.stderr.decode(errors="replace"),
            truncated=output.truncated or output.stderr_truncated,
        )
        found = answer(_words(ended, time_limit), ended)
        return found.model_copy(update={"is_error": ended.exit_code != 0})


def _words(ended: Ended, time_limit: float) -> str:
    how = (
        f"Stopped after {time_limit:g} seconds" if ended.exit_code is None else f"Exit code {ended.exit_code}"
    )
    parts = [how]
    if ended.stdout:
        parts.append(ended.stdout.rstrip("\n"))
    if ended.stderr:
        parts.append(f"[stderr]\n{ended.stderr.rstrip()}")
    return "\n".join(parts)
