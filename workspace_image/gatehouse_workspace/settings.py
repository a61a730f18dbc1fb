"""What the environment of the process says; docs/workspace-tools.md lists the names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MCP_PORT = 8080
EGRESS_PORT = 3128
GATEWAY_PORT = 8090


class Misconfigured(Exception):
    """A variable that cannot be understood; the text names it."""


@dataclass(frozen=True)
class Settings:
    """Read once at start. Secrets are kept out of `repr`, which ends in logs."""

    name: str
    root: Path
    git_url: str = ""
    git_branch: str = ""
    git_username: str = ""
    git_password: str = field(default="", repr=False)
    port: int = MCP_PORT
    ports: tuple[int, ...] = ()
    sockets: Path | None = None
    run_command: bool = False
    egress: Path | None = None
    gateway: Path | None = None
    gitlab_url: str = ""
    gitlab_token: str = field(default="", repr=False)
    gitlab_ca: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Raises Misconfigured for a port that is none."""
        return cls(
            name=environ.get("GATEHOUSE_WORKSPACE") or "workspace",
            root=Path(environ.get("GATEHOUSE_ROOT") or "/workspace"),
            git_url=environ.get("GATEHOUSE_GIT_URL", ""),
            git_branch=environ.get("GATEHOUSE_GIT_BRANCH", ""),
            git_username=environ.get("GATEHOUSE_GIT_USERNAME", ""),
            git_password=environ.get("GATEHOUSE_GIT_PASSWORD", ""),
            port=int(environ.get("GATEHOUSE_PORT") or MCP_PORT),
            ports=_ports(environ.get("GATEHOUSE_PORTS", "")),
            sockets=_path(environ.get("GATEHOUSE_SOCKETS")),
            run_command=environ.get("GATEHOUSE_RUN_COMMAND") == "1",
            egress=_path(environ.get("GATEHOUSE_EGRESS")),
            gateway=_path(environ.get("GATEHOUSE_GATEWAY")),
            gitlab_url=environ.get("GITLAB_URL", "").rstrip("/"),
            gitlab_token=environ.get("GITLAB_TOKEN", ""),
            gitlab_ca=environ.get("GITLAB_CA", ""),
        )


def _path(value: str | None) -> Path | None:
    return Path(value) if value else None


def _ports(value: str) -> tuple[int, ...]:
    found = []
    for word in value.split():
        if not word.isdecimal() or not 1 <= int(word) <= 65535 or int(word) == MCP_PORT:
            raise Misconfigured(f"GATEHOUSE_PORTS: {word!r} is no port that a workspace can declare")
        found.append(int(word))
    return tuple(dict.fromkeys(found))
