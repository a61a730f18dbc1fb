"""The files of a workspace as its own tools read them. What they answer is not trusted: bounded, and shown as text."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.urls import reverse

from gateway.errors import Conflict, DomainError, NotFound
from gateway.ui import PageRequest, page
from workspaces.models import Workspace

from . import shown, tools
from .shown import show_tab

MOST_ENTRIES = 1000
MOST_LINES = 2000
MOST_CHARACTERS = 512 << 10
MOST_PATH = 4096


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    is_folder: bool
    size: int
    url: str


@page("workspace.use")
def files(request: PageRequest, public_id: UUID) -> HttpResponse:
    """A folder's entries, or a file's text."""
    row, path = shown.workspace(request, public_id), _path(request)
    context: dict[str, Any] = {"path": path, "here": _at(row, path), "crumbs": _crumbs(row, path)}
    try:
        ask = tools.Tools(row, request.principal)
        info = ask.data("get_file_info", path=path) if path else {"type": "directory"}
        context |= _file(row, path, info, ask) if info.get("type") == "file" else _folder(row, path, ask)
    except DomainError as error:
        context["refused"] = {
            "detail": error.detail,
            "stopped": row.desired_state != Workspace.Desired.RUNNING,
        }
    return show_tab(request, row, "files", "workspaces/files.html", context, part="workspaces/_files.html")


def _folder(row: Workspace, path: str, ask: tools.Tools) -> dict[str, Any]:
    told = ask.data("list_directory", path=path or ".", limit=MOST_ENTRIES)
    given = told.get("entries")
    entries = [
        Entry(
            name,
            one.get("type") == "directory",
            tools.number(one.get("size")),
            _at(row, posixpath.join(path, name)),
        )
        for one in (given if isinstance(given, list) else [])[:MOST_ENTRIES]
        if isinstance(one, dict) and (name := tools.text(one.get("name")))
    ]
    return {"entries": entries, "more": told.get("truncated") is True}


def _file(row: Workspace, path: str, info: dict[str, Any], ask: tools.Tools) -> dict[str, Any]:
    at = f"{reverse('workspace-file', args=[row.public_id])}?{urlencode({'path': path})}"
    try:
        text = ask.words("read_file", path=path, max_lines=MOST_LINES)
    except Conflict as error:  # binary, or not for reading
        return {"file": {"refused": error.detail}, "size": tools.number(info.get("size")), "download_url": at}
    return {"file": {"text": text[:MOST_CHARACTERS]}, "download_url": at}


@page("workspace.use")
def download(request: PageRequest, public_id: UUID) -> HttpResponse:
    """A file's bytes, piece by piece from the tool that reads them."""
    row, path = shown.workspace(request, public_id), _path(request)
    ask = tools.Tools(row, request.principal)
    info = ask.data("get_file_info", path=path or ".")
    if info.get("type") != "file":
        raise NotFound("There is no such file.")
    pieces = tools.pieces(ask, path, tools.number(info.get("size")))
    # StreamingHttpResponse is no HttpResponse to the types, and is to everything that handles it.
    response: Any = StreamingHttpResponse(pieces, content_type="application/octet-stream")
    response["Content-Disposition"] = (
        f"attachment; filename*=UTF-8''{quote(posixpath.basename(path), safe='')}"
    )
    return response  # type: ignore[no-any-return]


def _path(request: PageRequest) -> str:
    """Relative to the workspace's root, without what leads up: the tools confine it, this is for what is shown."""
    asked = request.GET.get("path", "").replace("\0", "")[:MOST_PATH]
    return posixpath.normpath(f"/{asked}").strip("/")


def _at(row: Workspace, path: str) -> str:
    url = reverse("workspace-files", args=[row.public_id])
    return f"{url}?{urlencode({'path': path})}" if path else url


def _crumbs(row: Workspace, path: str) -> list[tuple[str, str]]:
    """(name, URL) of each level from the root down."""
    crumbs, below = [(row.name, _at(row, ""))], ""
    for level in path.split("/") if path else ():
        below = posixpath.join(below, level)
        crumbs.append((level, _at(row, below)))
    return crumbs
