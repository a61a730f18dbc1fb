"""What clients can attach to a conversation: files of the workspace and the state of its repository."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from anyio import to_thread
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from mcp.server.mcpserver.resources import ResourceSecurity

from gatehouse_workspace.files import look, text
from gatehouse_workspace.git import read, words
from gatehouse_workspace.git.opened import Repositories
from gatehouse_workspace.root import Root
from gatehouse_workspace.tools import Gate

MAX_FILE = 1024 * 1024
STATUS_LIMIT = 200
LOG_LIMIT = 20
TREE_DEPTH = 3

Content = TypeVar("Content", str, str | bytes)

SECURITY = ResourceSecurity(exempt_params={"path"})
"""The path goes to Root.open, which resolves it beneath the workspace; the SDK's own look at `..` is not needed."""


class Resources:
    """Methods read resources; each raises ResourceError in the client's words."""

    def __init__(self, root: Root, repositories: Repositories, gate: Gate) -> None:
        self._root = root
        self._repositories = repositories
        self._gate = gate

    def register(self, server: MCPServer[Any]) -> None:
        """Add them to the server."""
        server.resource("workspace://git/status", name="git status", mime_type="text/plain")(self.status)
        server.resource("workspace://git/log", name="git log", mime_type="text/plain")(self.log)
        server.resource("workspace://tree", name="directory tree", mime_type="text/plain")(self.tree)
        server.resource("workspace://files/{+path}", name="file", security=SECURITY)(self.file)

    async def status(self) -> str:
        """Branch and changes of the workspace's repository."""
        return await self._read(self._status)

    async def log(self) -> str:
        """The last commits of the workspace's repository."""
        return await self._read(self._log)

    async def tree(self) -> str:
        """Directories and files of the workspace."""
        return await self._read(lambda: look.tree(self._root, ".", TREE_DEPTH, look.MAX_ENTRIES))

    async def file(self, path: str) -> str | bytes:
        """A file of the workspace: text, or bytes where it is none."""
        return await self._read(lambda: self._file(path))

    async def _read(self, work: Callable[[], Content]) -> Content:
        try:
            await self._gate()
            return await to_thread.run_sync(work)
        except ToolError as error:
            kind = ResourceNotFoundError if "does not exist" in str(error) else ResourceError
            raise kind(str(error)) from error

    def _status(self) -> str:
        with self._repositories.library(".") as opened:
            return words.status(read.status(opened, STATUS_LIMIT))

    def _log(self) -> str:
        with self._repositories.library(".") as opened:
            if opened.head_is_unborn:
                return "No commits yet"
            return words.log(read.log(opened, "HEAD", LOG_LIMIT, 0, read.Filter()))

    def _file(self, path: str) -> str | bytes:
        with self._root.open(path) as fd:
            size = text.regular(fd, path).st_size
            if size > MAX_FILE:
                raise ToolError(
                    f"{path}: has {size} bytes; resources end at {MAX_FILE}, read_file reads parts"
                )
            with open(fd, "rb", closefd=False) as file:
                content = file.read(MAX_FILE + 1)
        if text.is_binary(content[: text.PROBE]):
            return content
        try:
            return content.decode()
        except UnicodeDecodeError:
            return content
