"""Which calls of GitLab's REST API are made: the daily work, none that gives out credentials or runs the instance."""

from __future__ import annotations

import re
from urllib.parse import unquote

from mcp.server.mcpserver.exceptions import ToolError

READ = frozenset({"GET", "HEAD"})
ALL = READ | {"POST", "PUT", "PATCH", "DELETE"}

ROOTS = {
    "avatar": READ,
    "broadcast_messages": READ,
    "events": READ,
    "groups": ALL,
    "issues": READ,
    "job": READ,
    "keys": frozenset(),
    "lint": READ | {"POST"},
    "markdown": READ | {"POST"},
    "merge_requests": READ,
    "metadata": READ,
    "namespaces": READ,
    "projects": ALL,
    "runners": READ,
    "search": READ,
    "snippets": ALL,
    "templates": READ,
    "todos": ALL,
    "topics": READ,
    "user": READ,
    "users": READ,
    "version": READ,
}
"""The first part of a path beneath /api/v4, and the methods that it may be called with."""

REFUSED = frozenset(
    {
        "access_requests", "access_tokens", "cluster_agents", "custom_attributes", "deploy_keys", "deploy_tokens",
        "export", "gpg_keys", "hooks", "impersonation_tokens", "import", "integrations", "invitations", "keys",
        "members", "personal_access_tokens", "push_rule", "remote_mirrors", "secure_files", "services", "share",
        "ssh_keys", "transfer", "triggers", "variables",
    }
)  # fmt: skip
"""Parts that stand for credentials, for who has access, or for sending data elsewhere: changed by people only.
Members may be read."""

READABLE = frozenset({"members", "invitations", "access_requests", "custom_attributes"})
MAX_PATH = 2048


def checked(method: str, path: str) -> str:
    """The path beneath /api/v4, without a slash before it. Raises ToolError for a call that is not allowed."""
    if len(path) > MAX_PATH or "?" in path or "#" in path or re.search(r"[\x00-\x20\x7f\\]", path):
        raise ToolError(
            "argument 'path': a path beneath /api/v4 as projects/1/issues; parameters go into query"
        )
    found = path.lstrip("/").removeprefix("api/v4/").rstrip("/")
    parts = found.split("/")
    if any(not part or _plain(part) in (".", "..") or "://" in part for part in parts):
        raise ToolError("argument 'path': is not a path beneath /api/v4")
    root = _plain(parts[0])
    if root not in ROOTS:
        raise ToolError(
            f"GitLab calls beneath /{parts[0]} are not allowed; allowed are {', '.join(sorted(ROOTS))}"
        )
    if method not in ROOTS[root]:
        raise ToolError(f"{method} is not allowed beneath /{root}")
    for part in map(_plain, parts):
        if part in REFUSED and not (part in READABLE and method in READ):
            raise ToolError(
                f"{method} on {part} is not allowed: credentials and access are managed by people"
            )
    return found


def _plain(part: str) -> str:
    """As the server reads it, however often it was encoded; file extensions (.json) do not hide a name."""
    for _ in range(3):
        part = unquote(part)
    return part.lower().partition(".")[0] if part not in (".", "..") else part
