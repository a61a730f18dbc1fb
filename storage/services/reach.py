"""Which addresses a tenant may name as a backend: not this machine's own, whose services trust who reaches them.

A private network is allowed, for there is many a store of one's own. What a name resolves to is looked at when it is
given; a name that changes its address later is not caught.
"""

from __future__ import annotations

import ipaddress

from gateway.outside import addresses


def is_ours(host: str) -> bool:
    """Whether a host is this machine, its link or no single machine at all."""
    return any(map(_is_near, addresses(host)))


def _is_near(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    return address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
