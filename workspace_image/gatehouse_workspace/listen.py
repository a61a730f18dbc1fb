"""Sockets that are bound before anything slow is imported: an early request waits instead of being refused."""

from __future__ import annotations

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
    """A listening `<folder>/p<port>.sock` in the place of one that an earlier process left."""
    path = folder / f"p{port}.sock"
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(path))
    # The folder says who may connect: the edge runs as another user than the sandbox.
    path.chmod(0o666)
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock
