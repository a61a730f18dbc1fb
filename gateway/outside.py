"""Calls to systems that a tenant names: which addresses are public, and connecting to those that were looked at."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from threading import Lock
from typing import Any

from aiohttp.abc import AbstractResolver

RESOLVE_SECONDS = 3.0
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")  # an IPv4 address inside, as RFC 4291 section 2.5.5.1 gave up
_AZURE = ipaddress.ip_address("168.63.129.16")
"""Public by its number, and Azure's service of the machine that asks."""
_resolvers = ThreadPoolExecutor(64, thread_name_prefix="resolve")  # a silent name server keeps one for long
_asked: dict[str, Future[list[str]]] = {}
_asking = Lock()


def addresses(host: str) -> list[str]:
    """What a name or address stands for on this machine; nothing where it resolves to nothing (in time).

    However many ask for a name at a time, it takes one thread.
    """
    with _asking:
        asked = _asked.get(host)
        if asked is None:
            asked = _asked[host] = _resolvers.submit(resolved, host)
            asked.add_done_callback(lambda _: _asked.pop(host, None))
    try:
        return asked.result(RESOLVE_SECONDS)
    except TooSlow:
        return []


def resolved(host: str) -> list[str]:
    """The same for as long as the system's resolver takes."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []


def is_public(text: str) -> bool:
    """Also of an IPv4 address inside an IPv6 one, which a gateway on the way would take out."""
    found: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        teredo = found.teredo
        if found in _NAT64 or found in _COMPATIBLE:
            found = ipaddress.IPv4Address(found.packed[-4:])
        else:
            found = found.ipv4_mapped or found.sixtofour or (teredo[1] if teredo else found)
    if isinstance(found, ipaddress.IPv6Address) and found.is_site_local:
        return False
    return found.is_global and not found.is_multicast and found != _AZURE


class Pinned(AbstractResolver):
    """Answers with the addresses that were looked at, so that what is connected to cannot change in between."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_UNSPEC) -> list[Any]:
        return [
            {
                "hostname": host, "host": text, "port": port, "proto": socket.IPPROTO_TCP,
                "family": socket.AF_INET6 if ":" in text else socket.AF_INET, "flags": socket.AI_NUMERICHOST,
            }
            for text in self._addresses
        ]  # fmt: skip

    async def close(self) -> None:
        pass
