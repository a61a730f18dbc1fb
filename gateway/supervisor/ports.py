"""Loopback ports for the embedded services, and the check that the public ones are free."""

import errno
import random
import socket

from gateway.supervisor.errors import Refusal

LOOPBACK = "127.0.0.1"


def problem(port: int) -> str | None:
    """Why a public port cannot be listened on, or None."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError:
            return "is kept for root (ports below 1024)"
        except OSError as error:
            return "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
    return None


def pick(wanted: int | None) -> int:
    """The wanted port if it is free, else one below the range that outgoing connections take theirs from."""
    if wanted and problem(wanted) is None:
        return wanted
    for port in random.sample(range(12000, 32000), 200):
        if problem(port) is None:
            return port
    raise Refusal("no free port on 127.0.0.1 between 12000 and 32000: stop something and try again")
