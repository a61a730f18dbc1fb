"""Where what runs can be reached."""

from __future__ import annotations

MCP_PORT = 8080
"""Where a workspace's server listens."""


def dial(address: str, port: int) -> str:
    """What the edge dials for a port of the instance at `address` (`Observed.address`).

    A folder (begins with `/`) has a unix socket per port; anything else is a host's address.
    """
    return f"unix/{address}/p{port}.sock" if address.startswith("/") else f"{address}:{port}"
