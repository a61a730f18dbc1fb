"""What a container on this engine is not kept from, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings


def not_isolated(info: Mapping[str, Any]) -> tuple[str, ...]:
    """From what the broker tells of the engine, and whether deploy/firewall is said to be in place."""
    found = ["Disk space: a volume may fill the engine's disk."]
    if settings.WORKSPACE_FIREWALL:
        found.append("The network: what runs here reaches the Internet and this machine's local network.")
    else:
        found.append(
            "The network: what runs here reaches the Internet, this machine's local network, and the services that "
            "listen on this machine's addresses (deploy/firewall closes those)."
        )
    if not info.get("BridgeNfIptables"):
        found.append(
            "Each other: this machine's kernel does not filter traffic within a bridge (br_netfilter)."
        )
    for name, words in (("MemoryLimit", "Memory"), ("CpuCfsQuota", "Cores"), ("PidsLimit", "Processes")):
        if not info.get(name):
            found.append(f"{words}: this machine's kernel does not limit them for containers.")
    return tuple(found)
