"""Loopback ports for the embedded services, and the check that the public ones are free."""

import contextlib
import random
import socket

from gateway.supervisor.errors import Refusal

LOOPBACK = "127.0.0.1"


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a listener could be opened on the port now."""
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return True
    return False


def pick(wanted: int | None) -> int:
    """The wanted port if it is free, else one below the range that outgoing connections take theirs from."""
    if wanted and is_free(wanted):
        return wanted
    for port in random.sample(range(12000, 32000), 200):
        if is_free(port):
            return port
    raise Refusal("no free port on 127.0.0.1 between 12000 and 32000: stop something and try again")
