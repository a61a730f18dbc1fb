"""What a path below /ws/ asks for. Bytes of the wire in, bytes of the wire out: nothing is decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workspaces.addresses import MCP_PORT

PREFIX = "/ws/"
MCP = "mcp"


@dataclass(frozen=True, slots=True)
class Target:
    """`/ws/<workspace>/<place><path>`: the path is empty or begins with a slash."""

    workspace: str
    place: str
    path: str

    @property
    def is_mcp(self) -> bool:
        return self.place == MCP

    def port(self, declared: Mapping[str, int]) -> int | None:
        """The port that the place stands for: a declared name or number, or the server of tools."""
        if self.is_mcp:
            return MCP_PORT if self.path in ("", "/") else None
        if self.place in declared:
            return declared[self.place]
        return next((number for number in declared.values() if str(number) == self.place), None)

    @property
    def upstream_path(self) -> str:
        return "/mcp" if self.is_mcp else self.path


def parse(raw_path: str) -> Target | None:
    """None where the path names no workspace and place."""
    workspace, _, rest = raw_path[len(PREFIX) :].partition("/")
    place, slash, path = rest.partition("/")
    return Target(workspace, place, slash + path) if workspace and place else None
