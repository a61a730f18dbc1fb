"""What a client says about itself with its requests: its own GitLab and token, over the workspace's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mcp.server.mcpserver.context import Context
from mcp.server.mcpserver.exceptions import ToolError

from gatehouse_workspace.git.credentials import Credential, origin
from gatehouse_workspace.settings import Settings

URL_HEADER = "x-gitlab-url"
TOKEN_HEADER = "x-gitlab-token"  # noqa: S105 - a header's name
MAX_HEADER = 2048
TOKEN_USER = "oauth2"  # noqa: S105 - a user name
"""The user name under which GitLab takes a token over git's HTTP."""


@dataclass(frozen=True)
class GitLab:
    """A GitLab and who to be there. An empty url: none is known."""

    url: str
    token: str = field(default="", repr=False)


def gitlab(settings: Settings, ctx: Context[Any, Any] | None) -> GitLab:
    """The client's (headers X-GitLab-URL and X-GitLab-Token), else the workspace's (GITLAB_URL, GITLAB_TOKEN).

    A client that names another GitLab does not get the workspace's token for it. Raises ToolError for an address
    that is none.
    """
    headers = (ctx.headers if ctx is not None else None) or {}
    url = headers.get(URL_HEADER, "").strip().rstrip("/")
    token = headers.get(TOKEN_HEADER, "").strip()
    if len(url) > MAX_HEADER or len(token) > MAX_HEADER:
        raise ToolError("X-GitLab-URL or X-GitLab-Token is too long")
    if url and not origin(url):
        raise ToolError("X-GitLab-URL is not an http or https address")
    if url and origin(url) != origin(settings.gitlab_url):
        return GitLab(url, token)
    return GitLab(url or settings.gitlab_url, token or settings.gitlab_token)


def credentials(settings: Settings, ctx: Context[Any, Any] | None) -> list[Credential]:
    """For git over http(s): what the client gave for this request, then what the workspace has."""
    found = []
    lab = gitlab(settings, ctx)
    if lab.token:
        found.append(Credential(origin(lab.url), TOKEN_USER, lab.token))
    if settings.git_password:
        found.append(
            Credential(origin(settings.git_url), settings.git_username or TOKEN_USER, settings.git_password)
        )
    if settings.gitlab_token:
        found.append(Credential(origin(settings.gitlab_url), TOKEN_USER, settings.gitlab_token))
    return found
