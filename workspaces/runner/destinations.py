"""Where a workspace may connect to, judged by the address that is dialled, never by a name."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

_RESOLVE_SECONDS = 10.0
_WELL_KNOWN = (22, 80, 443)
"""git over ssh, and the web; of the ports below 1024 no other, mail above all."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_METADATA = frozenset(map(ipaddress.ip_address, ("168.63.129.16", "100.100.100.200", "fd00:ec2::254")))
"""Clouds' services of the machine that are not link-local."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Denied(Exception):
    """A place that workspaces may not reach; the text is for the workspace."""


class NotFound(Exception):
    """A name without an address."""


@dataclass(frozen=True, slots=True)
class Destinations:
    """`private`: also this machine and its networks, except for `closed_ports`, where the platform's services are."""

    private: bool
    closed_ports: frozenset[int]
    _resolvers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8, "resolve"))

    async def find(self, host: str, port: int) -> list[str]:
        """The addresses of `host` that may be dialled at `port`, best first, at most four. Raises Denied, NotFound."""
        if not (port in _WELL_KNOWN or 1024 <= port <= 65535):
            raise Denied(f"Port {port} is closed to workspaces.")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_RESOLVE_SECONDS):
                found = await loop.run_in_executor(
                    self._resolvers, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                )
        except (OSError, UnicodeError) as error:
            raise NotFound(f"{host} was not found.") from error
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        allowed = [address for address in addresses if self.allows(address, port)]
        if not allowed:
            raise Denied(f"{host} is closed to workspaces.")
        return allowed[:4]

    def allows(self, address: str, port: int) -> bool:
        """Whether an address (as text) may be dialled."""
        found = _meant(ipaddress.ip_address(address))
        if found in _METADATA or found.is_link_local or found.is_multicast or found.is_unspecified:
            return False
        if found.is_global and not _is_ours(address):
            return True
        return self.private and port not in self.closed_ports


def _meant(found: Address) -> Address:
    """The IPv4 address inside an IPv6 one, which the kernel or a gateway on the way would take out."""
    if isinstance(found, ipaddress.IPv4Address):
        return found
    teredo = found.teredo
    if found in _NAT64:
        return ipaddress.IPv4Address(found.packed[-4:])
    return found.ipv4_mapped or found.sixtofour or (teredo[1] if teredo else found)


def _is_ours(address: str) -> bool:
    """Whether this machine has that address: what listens there may be meant for the machine alone."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
