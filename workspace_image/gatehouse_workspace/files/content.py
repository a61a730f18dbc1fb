"""Searching in files, by `git grep`: it is quick, knows ignored files, and can be ended, as a regular expression
in this process could not."""

from __future__ import annotations

from mcp.server.mcpserver.exceptions import ToolError

from gatehouse_workspace.git.command import environment, hardened
from gatehouse_workspace.process import run
from gatehouse_workspace.root import FOLDER, Root

MAX_OUTPUT = 256 * 1024
SECONDS = 60.0
MAX_LINE = 1000


async def search(
    root: Root,
    path: str,
    pattern: str,
    *,
    regex: bool,
    ignore_case: bool,
    glob: str | None,
    context: int,
    limit: int,
) -> str:
    """Matching lines as `path:line:text`. Raises ToolError for a pattern that is no expression."""
    if "\n" in pattern or "\0" in pattern:
        raise ToolError("argument 'pattern': one line is searched at a time")
    arguments = ["grep", "--no-index", "--exclude-standard", "--no-color", "-n", "-I"]
    arguments += ["-E" if regex else "-F"]
    if ignore_case:
        arguments.append("-i")
    if context:
        arguments += ["-C", str(context)]
    arguments += ["-e", pattern, "--", f":(glob)**/{glob}" if glob else "."]
    with root.open(path, FOLDER) as folder:
        output = await run(
            hardened(arguments, literal=False),
            folder=folder,
            environment=environment(),
            limit=MAX_OUTPUT,
            seconds=SECONDS,
        )
    if output.timed_out:
        raise ToolError(f"Stopped after {SECONDS:g} seconds; search a smaller part")
    if output.code not in (0, 1) and not (output.truncated and output.code < 0):
        raise ToolError(output.stderr.decode(errors="replace").strip()[:500] or "The search failed")
    lines = output.stdout.decode(errors="replace").splitlines()
    if output.truncated:
        lines.pop()
    prefix = "" if root.relative(path) == "." else root.relative(path) + "/"
    shown = [_cut(prefix + line if line != "--" else line) for line in lines[:limit]]
    if len(lines) > limit or output.truncated:
        shown.append(f"[cut after {len(shown)} lines; narrow the search]")
    return "\n".join(shown) or "No matches"


def _cut(line: str) -> str:
    return line if len(line) <= MAX_LINE else line[:MAX_LINE] + " […]"
