"""What the runner is told by its environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gateway import env

LONGEST_SOCKET_PATH = 107  # of sockaddr_un
_LONGEST_NAME = len("/ws/w-0123456789abcdef/gateway.sock")


@dataclass(frozen=True, slots=True)
class Settings:
    """`http_port` is the platform's own plain port; `closed_ports` are those of its services on this machine."""

    home: Path
    http_port: int
    egress_private: bool
    closed_ports: frozenset[int]

    @classmethod
    def from_environment(cls) -> Settings:
        """Raises EnvError, KeyError without GATEHOUSE_HOME."""
        development = env.text("GATEHOUSE_ENV", "production") == "development"
        ports = env.text("GATEHOUSE_CLOSED_PORTS", "").split()
        return cls(
            home=Path(os.environ["GATEHOUSE_HOME"]),
            http_port=env.integer("GATEHOUSE_HTTP_PORT", 8080),
            egress_private=env.flag("WORKSPACE_EGRESS_PRIVATE", development),
            closed_ports=frozenset(map(int, ports)),
        )

    @property
    def socket(self) -> Path:
        """Where the runner serves."""
        return self.home / "run" / "runner.sock"

    @property
    def plain_socket(self) -> Path:
        """Where Caddy takes what comes with a PROXY line."""
        return self.home / "run" / "plain.sock"

    @property
    def sockets(self) -> Path:
        """A folder per sandbox with the sockets that lead into and out of it."""
        return self.home / "ws"

    @property
    def data(self) -> Path:
        return self.home / "workspaces"

    def problem(self) -> str:
        """Why no sandbox can have its sockets in this home; empty when it can."""
        if len(str(self.home)) + _LONGEST_NAME > LONGEST_SOCKET_PATH:
            return f"{self.home} is too long a path for a workspace's sockets: set GATEHOUSE_HOME to a shorter one."
        return ""
