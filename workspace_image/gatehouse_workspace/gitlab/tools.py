"""The GitLab tools as clients see them."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from mcp.server.mcpserver.context import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

from gatehouse_workspace import session
from gatehouse_workspace.gitlab import allowed, openapi
from gatehouse_workspace.gitlab.client import Reply, request
from gatehouse_workspace.root import Root
from gatehouse_workspace.settings import Settings

MAX_BODY = 256 * 1024
MAX_DETAIL = 64 * 1024
PAGES = ("x-page", "x-next-page", "x-total", "x-total-pages")
REASONS = {
    401: "GitLab does not accept the token (header X-GitLab-Token, or the workspace's secret GITLAB_TOKEN)",
    403: "The token may not do this",
    404: "GitLab has no such thing, or the token may not see it",
    429: "GitLab wants fewer requests; try again later",
}

Document = Annotated[
    str | None, Field(description="Address of the document; found by itself when left out", max_length=2048)
]


class Summary(BaseModel):
    """What a document covers."""

    title: str
    version: str
    operations: int
    tags: list[str]


class Match(BaseModel):
    """An operation of the API."""

    method: str
    path: str
    operation_id: str
    summary: str


class Matches(BaseModel):
    """Operations that fit a search, best first."""

    operations: list[Match]


class GitLabTools:
    """Methods are tools. Which GitLab: the client's (request headers), else the workspace's."""

    def __init__(self, root: Root, settings: Settings) -> None:
        self._settings = settings
        self._documents = openapi.Documents(root, settings.gitlab_ca)

    async def gitlab_api(
        self,
        ctx: Context[Any, Any],
        path: Annotated[
            str, Field(description="Path beneath /api/v4, as projects/group%2Fname/issues", min_length=1)
        ],
        method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET",
        query: Annotated[dict[str, Any] | None, Field(description="Parameters, as per_page")] = None,
        body: Annotated[dict[str, Any] | list[Any] | None, Field(description="Sent as JSON")] = None,
    ) -> str:
        """Call GitLab's REST API (v4): projects, groups, issues, merge requests, pipelines, repositories, search.
        Calls that deal with credentials or access are refused. Answers with the status, pages and JSON."""
        found = allowed.checked(method, path)
        lab = self._lab(ctx)
        address = f"{lab.url}/api/v4/{found}"
        ca = self._settings.gitlab_ca
        reply = await request(lab, method, address, ca=ca, limit=MAX_BODY, query=query, body=body)
        text = _words(reply)
        if reply.status >= 400:
            reason = REASONS.get(reply.status)
            raise ToolError(f"{reason}. {text}" if reason else text)
        return text

    async def gitlab_openapi(
        self,
        ctx: Context[Any, Any],
        url: Document = None,
    ) -> Summary:
        """Fetch GitLab's OpenAPI document for the other gitlab tools, and say what it covers. Fetches it anew."""
        document = await self._documents.get(self._lab(ctx, needed=False), url, fresh=True)
        info = document.get("info") if isinstance(document.get("info"), dict) else {}
        found = list(openapi.operations(document))
        tags = {str(tag) for item in found for tag in item.detail.get("tags") or []}
        return Summary(
            title=str((info or {}).get("title", "")),
            version=str((info or {}).get("version", "")),
            operations=len(found),
            tags=sorted(tags)[:200],
        )

    async def gitlab_search_operations(
        self,
        ctx: Context[Any, Any],
        query: Annotated[
            str, Field(description="Words, as merge request approve", min_length=1, max_length=300)
        ],
        limit: Annotated[int, Field(ge=1, le=100)] = 20,
        url: Document = None,
    ) -> Matches:
        """Find operations of GitLab's API by words of their path, name or description."""
        document = await self._documents.get(self._lab(ctx, needed=False), url)
        return Matches(
            operations=[
                Match(method=item.method, path=item.path, operation_id=item.id, summary=item.summary[:300])
                for item in openapi.search(document, query, limit)
            ]
        )

    async def gitlab_show_operation(
        self,
        ctx: Context[Any, Any],
        operation: Annotated[str, Field(description="operation_id, or as GET /projects/{id}", min_length=1)],
        url: Document = None,
    ) -> str:
        """Show one operation of GitLab's API: parameters, body and answers, as JSON."""
        document = await self._documents.get(self._lab(ctx, needed=False), url)
        found = openapi.find(document, operation)
        text = ""
        for depth in range(openapi.MAX_DEPTH, -1, -1):  # less detail where all of it would be too long
            text = json.dumps(openapi.resolved(document, found.detail, depth), indent=1, ensure_ascii=False)
            if len(text) <= MAX_DETAIL:
                break
        cut = "\n[cut]" if len(text) > MAX_DETAIL else ""
        return f"{found.method} {found.path}\n{text[:MAX_DETAIL]}{cut}"

    def _lab(self, ctx: Context[Any, Any], *, needed: bool = True) -> session.GitLab:
        lab = session.gitlab(self._settings, ctx)
        if needed and not lab.url:
            raise ToolError(
                "No GitLab is known: send the headers X-GitLab-URL and X-GitLab-Token, "
                "or give the workspace the secrets GITLAB_URL and GITLAB_TOKEN"
            )
        return lab


def _words(reply: Reply) -> str:
    pages = [f"{name[2:]}: {reply.headers[name]}" for name in PAGES if reply.headers.get(name)]
    head = f"HTTP {reply.status}" + (f" ({', '.join(pages)})" if pages else "")
    if 300 <= reply.status < 400:
        return f"{head}: redirects are not followed; it leads to {reply.headers.get('location', '')[:500]}"
    if b"\0" in reply.body[:8192]:
        return f"{head}\n[{len(reply.body)}{'+' if reply.truncated else ''} bytes of binary data]"
    text = reply.body.decode("utf-8", errors="replace")
    return f"{head}\n{text}" + ("\n[cut: ask for fewer with per_page]" if reply.truncated else "")
