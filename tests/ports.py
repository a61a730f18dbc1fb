"""Ports for what tests start, which nobody else takes between the choice and the start.

They lie below the range that outgoing connections have theirs from, and apart from what the supervisor picks
(`gateway.supervisor.ports`). A claim is a name that the kernel gives to one process at a time, and takes back when
that process ends: runs and workers side by side never choose the same.
"""

from __future__ import annotations

import random
import socket

from gateway.supervisor.ports import problem

_RANGE = range(10_000, 12_000)
_claims: list[int] = []  # descriptors, open until this process ends


def free_ports(count: int) -> list[int]:
    """Ports on which nothing listens, and no other test will."""
    return [free_port() for _ in range(count)]


def free_port() -> int:
    for port in random.sample(_RANGE, len(_RANGE)):
        if _claimed(port) and problem(port) is None:
            return port
    raise RuntimeError(f"no free port between {_RANGE.start} and {_RANGE.stop}")


def _claimed(port: int) -> bool:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0gatehouse-tests-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim.detach())
    return True
