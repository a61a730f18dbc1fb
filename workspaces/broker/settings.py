"""What the broker is told by the environment (docs/providers.md). No Django: it starts at once and stays small."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gateway import env

DEFAULT_ENGINE = "unix:///var/run/docker.sock"
_ID = re.compile(r"[0-9a-f]{12}")
_NETWORK = re.compile(r"(?!(?:host|none|default|bridge)$)[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
ID_FILE = "platform-id"


class Misconfigured(Exception):
    """A setting that cannot be used; the text names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`engine` is the path of the engine's socket, `listen` of ours; `platform` marks what is ours."""

    engine: Path
    listen: Path
    platform: str
    network: str
    pull: bool
    network_is_ours: bool = True
    problem: str = ""
    """Why no engine can be used, for an administrator; who asks is told."""

    @property
    def prefix(self) -> str:
        """What the names of our containers and volumes begin with."""
        return f"gatehouse-{self.platform}-"

    @property
    def bridge(self) -> str:
        """Of the network's interface on the host; 15 characters, the most that Linux allows."""
        return f"gh-{self.platform}"


def from_environment() -> Settings:
    """Raises Misconfigured, env.EnvError."""
    home = Path(env.text("GATEHOUSE_HOME", str(env.PROJECT / "var"))).absolute()
    platform = platform_id(home)
    engine = urlsplit(os.environ.get("DOCKER_HOST") or DEFAULT_ENGINE)
    usable = engine.scheme == "unix" and engine.path.startswith("/")
    named = env.text("DOCKER_NETWORK")
    if named and not _NETWORK.fullmatch(named):
        raise Misconfigured("DOCKER_NETWORK is not the name of a network of its own")
    return Settings(
        engine=Path(engine.path),
        listen=home / "run" / "broker.sock",
        platform=platform,
        network=named or f"gatehouse-{platform}",
        network_is_ours=not named,
        problem="" if usable else "DOCKER_HOST is not of the form unix:///path: no other engine can be used.",
        pull=env.choice("DOCKER_PULL", "never", ("never", "missing")) == "missing",
    )


def platform_id(home: Path) -> str:
    """12 hex digits that tell this platform's containers from others' on the same engine; made at first use.

    Raises Misconfigured where the home's file holds something else, OSError where it cannot be made.
    """
    path = home / ID_FILE
    if not path.exists():
        draft = home / f".{ID_FILE}.{os.getpid()}"
        draft.write_text(secrets.token_hex(6) + "\n", encoding="ascii")
        try:
            path.hardlink_to(draft)  # whole or not at all, and the first one wins
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    found = path.read_text(encoding="utf-8", errors="replace").strip()
    if not _ID.fullmatch(found):
        raise Misconfigured(f"{path} does not hold 12 hex digits")
    return found
