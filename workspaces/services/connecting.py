"""How each MCP client is told of a workspace: what it calls its file, and what stands in it.

No secret stands in a snippet: each client is asked for the key, or reads it from the environment, in its own way.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings

from gateway.errors import NotFound
from workspaces.models import Workspace

VARIABLE: Final = "GATEHOUSE_API_KEY"
_INPUT: Final = "mcp_token"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Client:
    """`file` is where the snippet goes. `steps` are sentences for people, before and after it."""

    id: str
    title: str
    file: str
    steps: tuple[str, ...]
    make: Callable[[str, str], Json]
    command: Callable[[str, str], str] | None = None


@dataclass(frozen=True, slots=True)
class Guide:
    """A client's way to one workspace. `snippet` is the file's content; `command` does the same where there is one."""

    client: Client
    snippet: str
    command: str = ""


def url_of(workspace: Workspace) -> str:
    """Where its server of tools is reached."""
    return f"{settings.PUBLIC_BASE_URL}/ws/{workspace.name}/mcp"


def configuration(workspace: Workspace, client: str = "vscode") -> Json:
    """The client's file as an object. Raises NotFound for a client that is not in CLIENTS."""
    found = CLIENTS.get(client)
    if found is None:
        known = ", ".join(CLIENTS)
        raise NotFound(
            f"No such client; there are {known}.", code="client_not_found", errors={"client": [known]}
        )
    return found.make(workspace.name, url_of(workspace))


def guides(workspace: Workspace) -> list[Guide]:
    """Every client's, in the order to show them."""
    name, url = workspace.name, url_of(workspace)
    return [
        Guide(
            client,
            json.dumps(client.make(name, url), indent=2),
            client.command(name, url) if client.command else "",
        )
        for client in CLIENTS.values()
    ]


def _vscode(name: str, url: str) -> Json:
    asked = {"type": "promptString", "id": _INPUT, "description": "Gatehouse API key", "password": True}
    headers = {"Authorization": f"Bearer ${{input:{_INPUT}}}"}
    return {"servers": {name: {"type": "http", "url": url, "headers": headers}}, "inputs": [asked]}


def _claude_code(name: str, url: str) -> Json:
    headers = {"Authorization": f"Bearer ${{{VARIABLE}}}"}
    return {"mcpServers": {name: {"type": "http", "url": url, "headers": headers}}}


def _claude_code_command(name: str, url: str) -> str:
    header = f'"Authorization: Bearer ${VARIABLE}"'
    return f"claude mcp add --transport http {shlex.quote(name)} {shlex.quote(url)} --header {header}"


def _claude_desktop(name: str, url: str) -> Json:
    """By way of mcp-remote, since the file names programs only. No space in the argument: on Windows it would break."""
    plain = urlsplit(url).scheme == "http"
    arguments = ["-y", "mcp-remote", url, "--header", "Authorization:${AUTH_HEADER}"]
    arguments += ["--allow-http"] if plain else []
    environment = {"AUTH_HEADER": "Bearer <API key>"}
    return {"mcpServers": {name: {"command": "npx", "args": arguments, "env": environment}}}


def _cursor(name: str, url: str) -> Json:
    headers = {"Authorization": f"Bearer ${{env:{VARIABLE}}}"}
    return {"mcpServers": {name: {"url": url, "headers": headers}}}


def _generic(name: str, url: str) -> Json:
    headers = {"Authorization": "Bearer <API key>"}
    return {"mcpServers": {name: {"type": "streamable-http", "url": url, "headers": headers}}}


def _generic_command(name: str, url: str) -> str:
    header = f'"Authorization: Bearer ${VARIABLE}"'
    tool = "npx -y @modelcontextprotocol/inspector --cli"
    return f"{tool} {shlex.quote(url)} --transport http --header {header} --method tools/list"


_KEY: Final = "Make an API key that may use workspaces (API keys → New)."
_EXPORT: Final = f"Put it into the environment variable {VARIABLE}."
CLIENTS: Final[Mapping[str, Client]] = {
    client.id: client
    for client in (
        Client(
            "vscode",
            "VS Code",
            ".vscode/mcp.json",
            (_KEY, "Save this file in your project.", "VS Code asks for the key when it starts the server."),
            _vscode,
        ),
        Client(
            "claude-code",
            "Claude Code",
            ".mcp.json",
            (_KEY, _EXPORT, "Save this file in your project, or run the command. /mcp shows the connection."),
            _claude_code,
            _claude_code_command,
        ),
        Client(
            "claude-desktop",
            "Claude Desktop",
            "claude_desktop_config.json",
            (
                _KEY,
                "Open Settings → Developer → Edit Config, and add this with the key in place of <API key>. "
                "It needs Node.js, which runs mcp-remote.",
                "Quit Claude Desktop and start it again.",
            ),
            _claude_desktop,
        ),
        Client(
            "cursor",
            "Cursor",
            ".cursor/mcp.json",
            (_KEY, _EXPORT, "Save this file in your project, and start Cursor again."),
            _cursor,
        ),
        Client(
            "generic",
            "Other clients",
            "mcp.json",
            (
                _KEY,
                "The transport is Streamable HTTP; the key goes into the header Authorization, or X-API-Key.",
                "The command asks for the tools with the MCP inspector.",
            ),
            _generic,
            _generic_command,
        ),
    )
}
