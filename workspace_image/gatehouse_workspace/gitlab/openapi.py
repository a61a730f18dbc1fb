"""GitLab's OpenAPI document: where to get it, and what is in it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mcp.server.mcpserver.exceptions import ToolError

from gatehouse_workspace.git.command import environment
from gatehouse_workspace.git.credentials import origin
from gatehouse_workspace.gitlab.client import Reply, request
from gatehouse_workspace.process import run
from gatehouse_workspace.root import FOLDER, Root
from gatehouse_workspace.session import GitLab

MAX_DOCUMENT = 32 * 1024 * 1024
MAX_JSON = 64 * 1024 * 1024
MAX_KEPT = 2
MAX_DEPTH = 6
PUBLISHED = "https://gitlab.com/gitlab-org/gitlab/-/raw/{version}/doc/api/openapi/openapi_{format}.yaml"
METHODS = ("get", "post", "put", "patch", "delete", "head")
SECONDS = 90.0


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    id: str
    summary: str
    detail: Mapping[str, Any]


class Documents:
    """Fetches and keeps the last few documents, by GitLab and address."""

    def __init__(self, root: Root, ca: str) -> None:
        self._root = root
        self._ca = ca
        self._kept: dict[tuple[str, str], dict[str, Any]] = {}

    async def get(self, lab: GitLab, url: str | None, *, fresh: bool = False) -> dict[str, Any]:
        """The document. Raises ToolError where it cannot be had."""
        key = (lab.url, url or "")
        if fresh or key not in self._kept:
            document = await self._fetch(lab, url)
            self._kept.pop(key, None)
            while len(self._kept) >= MAX_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = document
        return self._kept[key]

    async def _fetch(self, lab: GitLab, url: str | None) -> dict[str, Any]:
        reasons = []
        for candidate in [url] if url else await self._candidates(lab):
            # The token is for the GitLab it came with, whatever else is asked.
            asker = lab if origin(candidate) == origin(lab.url) else GitLab(lab.url)
            try:
                reply = await request(asker, "GET", candidate, ca=self._ca, limit=MAX_DOCUMENT)
                return await self._parsed(reply)
            except ToolError as error:
                reasons.append(f"{candidate}: {error}")
        raise ToolError("No OpenAPI document was found. " + "; ".join(reasons))

    async def _candidates(self, lab: GitLab) -> list[str]:
        """The instance's own, then the published one of its version, then the newest published one."""
        found = []
        versions = ["master"]
        if lab.url:
            found = [f"{lab.url}/api/v4/openapi.json", f"{lab.url}/api/v4/openapi.yaml"]
            try:
                reply = await request(lab, "GET", f"{lab.url}/api/v4/version", ca=self._ca, limit=4096)
                version = str(json.loads(reply.body).get("version", ""))
            except (ToolError, ValueError, AttributeError):
                version = ""
            if re.fullmatch(r"\d+\.\d+\.\d+(-ee)?", version):
                versions.insert(0, "v" + (version if version.endswith("-ee") else f"{version}-ee"))
        return found + [
            PUBLISHED.format(version=version, format=form) for version in versions for form in ("v3", "v2")
        ]

    async def _parsed(self, reply: Reply) -> dict[str, Any]:
        if reply.status != 200:
            raise ToolError(f"HTTP {reply.status}")
        if reply.truncated:
            raise ToolError(f"is longer than {MAX_DOCUMENT} bytes")
        text = reply.body
        if not text.lstrip().startswith(b"{"):
            text = await self._converted(text)
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
            raise ToolError("is no OpenAPI document")
        return document

    async def _converted(self, text: bytes) -> bytes:
        with self._root.open(".", FOLDER) as folder:
            output = await run(
                [sys.executable, "-P", "-m", "gatehouse_workspace.gitlab.convert"],
                folder=folder,
                environment=environment(PYTHONPATH=":".join(path for path in sys.path if path)),
                limit=MAX_JSON,
                seconds=SECONDS,
                stdin=text,
            )
        if output.code != 0 or output.truncated:
            raise ToolError("is no YAML that can be read")
        return output.stdout


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """Every operation that the document has; parts of it that are malformed are left out."""
    for path, item in document["paths"].items():
        if not isinstance(item, dict):
            continue
        for method in METHODS:
            detail = item.get(method)
            if isinstance(detail, dict):
                summary = str(detail.get("summary") or detail.get("description") or "")
                yield Operation(method.upper(), path, str(detail.get("operationId", "")), summary, detail)


def search(document: Mapping[str, Any], query: str, limit: int) -> list[Operation]:
    """Operations that have the most of the query's words, names before descriptions."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[^\W_a-z]+", query)]
    scored = []
    for at, operation in enumerate(operations(document)):
        name = f"{operation.method} {operation.path} {operation.id} {operation.summary}".lower()
        about = f"{operation.detail.get('description', '')} {operation.detail.get('tags', '')}".lower()
        score = sum(3 if word in name else 1 if word in about else 0 for word in words)
        if score:
            scored.append((-score, len(operation.path), at, operation))
    return [item[-1] for item in sorted(scored, key=lambda item: item[:3])[:limit]]


def find(document: Mapping[str, Any], operation: str) -> Operation:
    """By operationId, or as `GET /path`. Raises ToolError where there is none, with near ones."""
    method, _, path = operation.strip().partition(" ")
    wanted = _bare(path)
    for candidate in operations(document):
        if candidate.id == operation or (
            candidate.method == method.upper() and _bare(candidate.path) == wanted
        ):
            return candidate
    near = ", ".join(f"{found.method} {found.path}" for found in search(document, operation, 5))
    raise ToolError(f"{operation}: there is no such operation" + (f"; near ones: {near}" if near else ""))


def _bare(path: str) -> str:
    return path.strip().strip("/").removeprefix("api/v4/")


def resolved(document: Mapping[str, Any], value: Any, depth: int = MAX_DEPTH) -> Any:
    """The value with `$ref`s replaced by what they name in the document, so many levels deep."""
    if isinstance(value, list):
        return [resolved(document, item, depth) for item in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/") and depth > 0:
        target: Any = document
        for part in reference[2:].split("/"):
            target = (
                target.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
            )
        return resolved(document, target, depth - 1) if target is not None else value
    return {name: resolved(document, item, depth) for name, item in value.items()}
