"""Sockets that are bound before anything slow is imported: an early request waits instead of being refused."""

from __future__ import annotations

import os
import socket
from pathlib import Path

BACKLOG = 512


def tcp(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises OSError where the port is taken."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


def unix(folder: Path, port: int) -> socket.socket:
    """A listening `<folder>/p<port>.sock`: the one that was bound for us, else in the place of an earlier process's.

    A sandbox finds its folder read-only: what it could put there, the edge would follow.
    """
    if (inherited := _inherited(port)) is not None:
        return inherited
    path = folder / f"p{port}.sock"
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(path))
    # The folder says who may connect: the edge runs as another user than the sandbox.
    path.chmod(0o666)
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


def _inherited(port: int) -> socket.socket | None:
    """From GATEHOUSE_LISTEN_FDS, `port:descriptor …`."""
    for word in os.environ.get("GATEHOUSE_LISTEN_FDS", "").split():
        name, _, descriptor = word.partition(":")
        if name == str(port):
            sock = socket.socket(fileno=int(descriptor))
            sock.set_inheritable(False)
            sock.setblocking(False)
            return sock
    return None
