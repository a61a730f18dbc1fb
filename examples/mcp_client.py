"""The least that speaks MCP to a workspace: Streamable HTTP (revision 2025-06-18), the standard library alone.

    GATEHOUSE_URL=http://localhost:8080 GATEHOUSE_API_KEY=mcp_… python examples/mcp_client.py WORKSPACE [TOOL [JSON]]

Without a tool it lists the tools, one a line; with one it calls it and prints what it answers. Exit code 1: the tool
said that it failed; 2: there was no answer of a tool.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

REVISION = "2025-06-18"
TIMEOUT_SECONDS = 120.0


class Refused(Exception):
    """The platform or the server did not take the request; the text is for people."""


class Client:
    """One workspace's server. The servers of workspaces keep no session, so each call stands by itself."""

    def __init__(self, url: str, workspace: str, api_key: str) -> None:
        self._base = urlsplit(url)
        self._path = f"{self._base.path.rstrip('/')}/ws/{quote(workspace, safe='')}/mcp"
        self._headers = {
            "Authorization": f"Bearer {api_key}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": REVISION,
        }

    def initialize(self) -> dict[str, Any]:
        """What the server is and can do."""
        client = {"name": "gatehouse-example", "version": "1"}
        return self.request(
            "initialize", {"protocolVersion": REVISION, "capabilities": {}, "clientInfo": client}
        )

    def tools(self) -> Iterator[dict[str, Any]]:
        """Every tool, page by page."""
        cursor: str | None = None
        while True:
            page = self.request("tools/list", {"cursor": cursor} if cursor else {})
            yield from page["tools"]
            cursor = page.get("nextCursor")
            if not cursor:
                return

    def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The tool's result; a tool that failed says `isError`."""
        return self.request("tools/call", {"name": tool, "arguments": arguments})

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """One JSON-RPC request. Raises Refused."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        secure = self._base.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connect(self._base.netloc, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("POST", self._path, body, self._headers)
            response = connection.getresponse()
            if response.status != 200:
                raise Refused(f"{response.status}: {_problem(response.read(65_536))}")
            answer = _answer(response)
        except OSError as error:
            raise Refused(f"no answer from {self._base.netloc}: {error}") from error
        finally:
            connection.close()
        if "error" in answer:
            raise Refused(answer["error"]["message"])
        result: dict[str, Any] = answer["result"]
        return result


def _answer(response: http.client.HTTPResponse) -> dict[str, Any]:
    """The response to our request: the body, or that event of a stream which bears it; notifications pass by."""
    if response.headers.get_content_type() != "text/event-stream":
        found: dict[str, Any] = json.load(response)
        return found
    data: list[str] = []
    for line in response:
        text = line.decode().rstrip("\r\n")
        if text.startswith("data:"):
            data.append(text[5:].removeprefix(" "))
        elif not text and data:
            message: dict[str, Any] = json.loads("\n".join(data))
            if message.get("id") == 1 and "method" not in message:
                return message
            data = []
    raise Refused("the stream ended without an answer")


def _problem(body: bytes) -> str:
    """What an RFC 9457 body says."""
    try:
        told = json.loads(body)
        return str(told.get("detail") or told.get("title"))
    except (ValueError, AttributeError):
        return body[:200].decode(errors="replace")


def main(arguments: list[str]) -> int:
    if not 1 <= len(arguments) <= 3:
        print(__doc__, file=sys.stderr)
        return 2
    url = os.environ.get("GATEHOUSE_URL", "http://localhost:8080")
    client = Client(url, arguments[0], os.environ.get("GATEHOUSE_API_KEY", ""))
    try:
        client.initialize()
        if len(arguments) == 1:
            for tool in client.tools():
                print(f"{tool['name']:24} {(tool.get('description') or '').strip().partition(chr(10))[0]}")
            return 0
        result = client.call(arguments[1], json.loads(arguments[2]) if len(arguments) == 3 else {})
    except (Refused, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    for block in result["content"]:
        print(block.get("text", f"[{block['type']}]"))
    return 1 if result.get("isError") else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
