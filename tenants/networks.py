"""Addresses that a credential may be used from: networks in CIDR notation (RFC 4632, RFC 4291), v4 and v6."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

from gateway.errors import Invalid

MOST = 100
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def normal(given: Iterable[str]) -> list[str]:
    """The networks as they are kept: each once, an address as the network of one. Raises Invalid by field."""
    kept: list[str] = []
    for text in given:
        try:
            network = _of(text.strip())
        except ValueError as error:
            raise _refused(f"{text[:50]!r} is no address or network: {error}") from None
        if str(network) not in kept:
            kept.append(str(network))
    if len(kept) > MOST:
        raise _refused(f"At most {MOST}.")
    return kept


def _refused(text: str) -> Invalid:
    return Invalid(f"allowed_networks: {text}", errors={"allowed_networks": [text]})


@lru_cache(4096)
def _of(text: str) -> _Network:
    """Raises ValueError; a network with bits behind its length is one, since nobody can tell what was meant."""
    if "%" in text:
        raise ValueError("a zone means nothing here")
    network = ipaddress.ip_network(text)
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped:
        raise ValueError("write it as IPv4")
    return network


def allow(ip: str | None, networks: Sequence[str]) -> bool:
    """Whether a caller at `ip` may use what is limited to `networks`; none named is no limit."""
    if not networks:
        return True
    if ip is None:
        return False
    address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(ip)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in _of(network) for network in networks)


def within(inner: Sequence[str], outer: Sequence[str]) -> bool:
    """Whether all that `inner` allows, `outer` does too."""
    if not outer:
        return True
    return bool(inner) and all(any(_covers(_of(o), _of(i)) for o in outer) for i in inner)


def _covers(outer: _Network, inner: _Network) -> bool:
    return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]
