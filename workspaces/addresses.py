"""Where what runs can be reached."""

from __future__ import annotations

from ipaddress import IPv6Address

MCP_PORT = 8080
"""Where a workspace's server listens."""
_VIRTUAL = int(IPv6Address("fd67:6174:6568::"))


def dial(address: str, port: int) -> str:
    """What the edge dials for a port of the instance at `address` (`Observed.address`).

    A folder (begins with `/`) has a unix socket per port; anything else is a host's address.
    """
    return f"unix/{address}/p{port}.sock" if address.startswith("/") else f"{address}:{port}"


def virtual_address(offset: int) -> str:
    """Where a sandbox with that offset comes from, says the runner to the edge in its PROXY line. Nobody routes it.

    Each has a /64 of its own, by which callers are counted (`gateway.api.ratelimit.neighbourhood`).
    """
    return str(IPv6Address(_VIRTUAL + (offset << 64)))


def client_address(address: str, offset: int) -> str:
    """What the platform sees requests of the instance at `address` come from."""
    return virtual_address(offset) if address.startswith("/") else address
