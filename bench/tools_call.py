"""tools/call through the gateway, beside the same server asked directly.

A server of a workspace's is started here, and stands in a sandbox's place: the gateway reaches it over the socket that
the sandbox would have, the peer over TCP. So both ask one process, and what differs is the gateway.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import load
from bench.load import Load
from bench.peers import Peers
from bench.table import Row, in_turns
from tests.instance import Instance, Member, until
from workspaces.tests.server import server

CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "list_directory", "arguments": {}},
}
HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2025-11-25",
}
MANY = 16
THROUGHPUT = 0.85
SECONDS = 5.0


def tools_call(instance: Instance, peers: Peers) -> Iterator[Row]:
    """One caller: how long a call takes; many: how many a second."""
    member = instance.member()
    name = _workspace(member)
    with server() as address:
        _stand_in(instance.home, address)
        own, direct = (
            _load(instance.port, f"/ws/{name}/mcp", member.api.headers),
            _load(_tcp(address), "/mcp"),
        )
        for target in (own, direct):
            load.run(target(1, 1.0))  # warm

        def p50(target: Callable[[int, float], Load]) -> float:
            return load.run(target(1, SECONDS)).p50

        def rate(target: Callable[[int, float], Load]) -> float:
            return load.run(target(MANY, SECONDS)).rate

        ours, theirs = in_turns(lambda: p50(own), lambda: p50(direct))
        yield Row("tools/call, 1 caller, p50", "ms", ours, theirs, less_is_better=True)
        ours, theirs = in_turns(lambda: rate(own), lambda: rate(direct))
        yield Row(f"tools/call, {MANY} callers", "/s", ours, theirs, aim=THROUGHPUT)


def _workspace(member: Member) -> str:
    """A new one in a sandbox, which runs. Raises RuntimeError where there are no sandboxes."""
    member.api.ok("POST", "templates", {"name": "calls", "provider": "process"})
    made = member.api.ok("POST", "workspaces", {"name": "calls", "template": "calls"})
    path = f"workspaces/{made['id']}"
    until(lambda: member.api.ok("GET", path)["state"] == "running", 60, "the workspace runs")
    return str(made["name"])


def _stand_in(home: Path, address: str) -> None:
    """Put the server's socket into the place of the newest sandbox's."""
    sockets = sorted(home.rglob("p8080.sock"), key=lambda path: path.lstat().st_ctime)
    sockets[-1].unlink()
    sockets[-1].symlink_to(Path(address) / "p8080.sock")


def _tcp(address: str) -> int:
    """The TCP port of the server at `address`, whose socket is named after it."""
    return int(Path(address, "p8080.sock").readlink().stem.removeprefix("p"))


def _load(port: int, path: str, more: dict[str, str] | None = None) -> Callable[[int, float], Load]:
    body, headers = json.dumps(CALL).encode(), HEADERS | (more or {})
    return lambda connections, seconds: Load(port, [path], "POST", body, headers, connections, seconds)
