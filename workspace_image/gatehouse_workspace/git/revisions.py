"""Names of commits and branches that strangers give: never an option of git, never more than a name."""

from __future__ import annotations

import re
from typing import Annotated

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

MAX_NAME = 255
FORBIDDEN = re.compile(r"[\x00-\x20\x7f:?*\[\\]")

Revision = Annotated[
    str, Field(description="Commit, branch or tag, as HEAD~2", min_length=1, max_length=MAX_NAME)
]
Branch = Annotated[str, Field(description="Name of a branch", min_length=1, max_length=MAX_NAME)]
Remote = Annotated[str, Field(description="Name of a remote", min_length=1, max_length=MAX_NAME)]


def revision(name: str, argument: str = "revision") -> str:
    """One commit's name. Raises ToolError for options, ranges and what git's names cannot have."""
    if ".." in name:
        raise ToolError(f"argument {argument!r}: {name!r} is a range; give one commit")
    return revision_or_range(name, argument)


def revision_or_range(name: str, argument: str = "revision") -> str:
    """A commit's name or `a..b`. Raises ToolError for the rest."""
    if name.startswith(("-", "^")) or FORBIDDEN.search(name):
        raise ToolError(f"argument {argument!r}: {name!r} is not the name of a commit, branch or tag")
    return name


def branch(name: str, argument: str = "branch") -> str:
    """A branch's name, after git-check-ref-format(1)."""
    wrong = (
        FORBIDDEN.search(name)
        or name.startswith(("-", "/", "."))
        or name.endswith(("/", ".", ".lock"))
        or any(part in name for part in ("..", "@{", "//", "/.", "~", "^"))
        or name in ("@", "HEAD")
    )
    if wrong:
        raise ToolError(f"argument {argument!r}: {name!r} is not a name that a branch can have")
    return name


def remote(name: str, argument: str = "remote") -> str:
    """The name of a configured remote; an address would be another way out."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise ToolError(f"argument {argument!r}: {name!r} is not the name of a remote")
    return name
