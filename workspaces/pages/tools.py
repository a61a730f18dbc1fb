"""Calling a workspace's tools for a page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from gateway.db.scope import tenant_scope
from gateway.errors import Conflict, TooLarge
from tenants.principal import Principal
from workspaces.models import Workspace
from workspaces.services import bridge

PIECE = 256 << 10
MOST_DOWNLOAD = 32 << 20
MOST_WORDS = 500
SECONDS = 20


class Tools:
    """The tools of one workspace, for one person. A tool's own error is a Conflict, with the tool's words."""

    def __init__(self, workspace: Workspace, actor: Principal) -> None:
        """Raises Conflict where it does not run and no call wakes it: nobody waits for a page that long."""
        is_asleep = workspace.is_settled and workspace.stopped_for == Workspace.StoppedFor.IDLE
        if workspace.observed_state != Workspace.Observed.RUNNING and not is_asleep:
            text = "It is starting." if workspace.state == "starting" else "It does not run."
            raise Conflict(text, code="not_running")
        self._workspace, self._actor = workspace, actor

    def data(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What it answers for programs. Raises as `bridge.invoke`, and Conflict."""
        found = self._call(tool, arguments).structured
        return found if isinstance(found, dict) else {}

    def words(self, tool: str, **arguments: Any) -> str:
        """What it answers as text. Raises the same."""
        return _words(self._call(tool, arguments))

    def _call(self, tool: str, arguments: dict[str, Any]) -> bridge.Result:
        result = bridge.invoke(self._workspace, tool, arguments, actor=self._actor, seconds=SECONDS)
        if result.is_error:
            raise Conflict(_words(result)[:MOST_WORDS] or f"{tool} failed.", code="tool_error")
        return result

    @property
    def tenant_id(self) -> int:
        return self._workspace.tenant_id


def pieces(ask: Tools, path: str, size: int) -> Iterator[bytes]:
    """A file's bytes, the first piece read at once so that an error of it still is one. Raises as `Tools.data`."""
    if size > MOST_DOWNLOAD:
        raise TooLarge("The file is too large to be downloaded here: take a snapshot, or push it.")
    first = _piece(ask, path, 0)

    def rest() -> Iterator[bytes]:
        yield first
        at = len(first)
        while first and at < size:
            with tenant_scope(ask.tenant_id):  # the request's own has ended
                piece = _piece(ask, path, at)
            if not piece:
                return
            yield piece
            at += len(piece)

    return rest()


def _piece(ask: Tools, path: str, offset: int) -> bytes:
    data = ask.data("read_file_bytes", path=path, offset=offset, length=PIECE).get("data")
    try:
        return base64.b64decode(text(data), validate=True)[:PIECE]
    except binascii.Error:
        raise Conflict("The workspace answered with what is no file.", code="tool_error") from None


def text(value: Any) -> str:
    """The value where it is a text."""
    return value if isinstance(value, str) else ""


def number(value: Any) -> int:
    """The value where it is a size."""
    return value if isinstance(value, int) and 0 <= value < 1 << 60 else 0


def _words(result: bridge.Result) -> str:
    return "\n".join(text(block.get("text")) for block in result.content if isinstance(block, dict))
