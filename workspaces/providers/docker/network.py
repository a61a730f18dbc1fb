"""The one network of this platform's containers: a bridge on which they do not reach each other."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from docker.errors import APIError, NotFound

from workspaces.providers.base import Refused, Unavailable

from .engine import Names, said

_TENTH = range(129, 240)
"""Of 10.0.0.0/8, the sixteenths that others take least."""
_TRIED = 12
_FIRST = 10
"""Addresses below belong to the bridge itself and to whatever an administrator puts there."""
_ROUTES = Path("/proc/net/route")


@dataclass(frozen=True, slots=True)
class Network:
    subnet: ipaddress.IPv4Network
    gateway: str

    def address(self, offset: int) -> str:
        """Of the instance with that number. Raises Refused where the subnet is too small for it."""
        if offset + _FIRST >= self.subnet.num_addresses - 1:
            raise Refused(f"No address is left in {self.subnet}: WORKSPACE_SUBNET must be wider.")
        return str(self.subnet[offset + _FIRST])


def ensure(api: Any, names: Names) -> Network:
    """The network, made where it is missing. Two that make it at once end with the same one.

    Raises Unavailable where no subnet can be had, APIError.
    """
    found = find(api, names)
    if found is not None:
        return found
    reasons = []
    for subnet in _subnets(names.platform):
        body = {"Name": names.network, "IPAM": {"Config": [{"Subnet": str(subnet)}]}}
        try:
            api._result(api._post_json(api._url("/networks/create"), data=body), True)
        except APIError as e:
            reasons.append(f"{subnet}: {said(e)}")
        found = find(api, names)
        if found is not None:
            return found
    raise Unavailable("The network of workspaces cannot be made. " + " ".join(reasons)[:300])


def find(api: Any, names: Names) -> Network | None:
    try:
        found = api.inspect_network(names.network)
    except NotFound:
        return None
    pool = found["IPAM"]["Config"][0]
    subnet = ipaddress.IPv4Network(pool["Subnet"])
    return Network(subnet, pool.get("Gateway") or str(subnet[1]))


def _subnets(platform: str) -> list[ipaddress.IPv4Network]:
    """The one that is set, else those that no route of this machine overlaps; each platform begins elsewhere."""
    if settings.WORKSPACE_SUBNET:
        return [settings.WORKSPACE_SUBNET]
    taken = _routed()
    first = int(platform, 16) % len(_TENTH)
    candidates = [
        ipaddress.IPv4Network(f"10.{number}.0.0/16") for number in (*_TENTH[first:], *_TENTH[:first])
    ]
    return [one for one in candidates if not any(one.overlaps(other) for other in taken)][:_TRIED]


def _routed() -> list[ipaddress.IPv4Network]:
    """The networks that this machine has routes to, apart from the default one."""
    try:
        lines = _ROUTES.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return []
    found = []
    for line in lines:
        _, target, _, _, _, _, _, mask, *_ = line.split()
        if int(mask, 16):
            parts = (socket.inet_ntoa(int(part, 16).to_bytes(4, "little")) for part in (target, mask))
            found.append(ipaddress.IPv4Network("/".join(parts), strict=False))
    return found
