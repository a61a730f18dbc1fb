"""The address at which containers find the platform: their network's gateway, kept in a file for the edge."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Final

_FILE: Final = "run/docker-gateway"


def remember(home: Path, gateway: str) -> None:
    """Written only where it changed."""
    if known(home) != gateway:
        path = home / _FILE
        draft = path.with_name(f"{path.name}.new")
        draft.write_text(gateway, encoding="ascii")
        draft.replace(path)


def known(home: Path) -> str:
    """An IPv4 address; empty where no network was made yet."""
    try:
        return str(ipaddress.IPv4Address((home / _FILE).read_text(encoding="ascii").strip()))
    except (OSError, ValueError):
        return ""
