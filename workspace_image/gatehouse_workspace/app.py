"""Puts the workspace's server together from the environment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mcp.server.mcpserver import MCPServer

from gatehouse_workspace import __version__
from gatehouse_workspace.activity import Activity
from gatehouse_workspace.repository import Repository
from gatehouse_workspace.settings import Settings
from gatehouse_workspace.transport import Transport


def build(settings: Settings, activity: Activity) -> tuple[Transport, Callable[[], Awaitable[None]]]:
    """The application, and the preparation of the volume that goes on beside it."""
    repository = Repository(settings)
    server: MCPServer[None] = MCPServer(settings.name, version=__version__, log_level="WARNING")

    @server.tool()
    def git_status() -> dict[str, object]:
        """Status of the repository."""
        import pygit2

        repo = pygit2.Repository(str(settings.root))
        return {"files": repo.status()}

    return Transport(server, activity, repository.as_json), repository.prepare
