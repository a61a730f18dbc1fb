"""Which addresses a tenant may name as a backend: not this machine's own, whose services trust who reaches them.

A private network is allowed, for there is many a store of one's own. What a name resolves to is looked at when it is
given; a name that changes its address later is not caught.
"""

from __future__ import annotations

import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow

PATIENCE_SECONDS = 3.0
_resolvers = ThreadPoolExecutor(4, thread_name_prefix="resolve")


def is_ours(host: str) -> bool:
    """Whether a host is this machine, its link or no single machine at all."""
    return any(map(_is_near, _addresses(host)))


def _addresses(host: str) -> list[str]:
    """What a name or address stands for; nothing where it resolves to nothing (in time)."""
    asked = _resolvers.submit(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
    try:
        return [str(found[4][0]) for found in asked.result(PATIENCE_SECONDS)]
    except (OSError, TooSlow, UnicodeError):
        return []


def _is_near(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    return address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
