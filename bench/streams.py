"""One large body over one connection: bytes a second, seen by a client that does nothing but move them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK = 1 << 20
TIMEOUT_SECONDS = 120.0


def get(port: int, target: str) -> float:
    """Bytes a second of a GET's body. Raises RuntimeError for another answer than 200."""
    buffer = memoryview(bytearray(CHUNK))
    with _asked(port, f"GET {target} HTTP/1.1") as (wire, began):
        head, received = _head(wire)
        size = int(head.lower().partition("content-length:")[2].split("\r\n", 1)[0])
        while received < size:
            got = wire.recv_into(buffer)
            if not got:
                raise RuntimeError(f"the body of {target} broke off at {received} of {size}")
            received += got
        return size / (time.perf_counter() - began)


def put(port: int, target: str, body: Path) -> float:
    """Bytes a second from the request's first byte to the answer. Raises RuntimeError for another than 200."""
    size = body.stat().st_size
    with _asked(port, f"PUT {target} HTTP/1.1", size) as (wire, began), body.open("rb") as file:
        wire.sendfile(file)
        _head(wire)
        return size / (time.perf_counter() - began)


@contextmanager
def _asked(port: int, line: str, length: int = 0) -> Iterator[tuple[socket.socket, float]]:
    """A connection with a request's head on it, and when that was sent."""
    lines = [line, f"Host: 127.0.0.1:{port}", "Connection: close", f"Content-Length: {length}"]
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as wire:
        began = time.perf_counter()
        wire.sendall("\r\n".join([*(lines if length else lines[:-1]), "", ""]).encode())
        yield wire, began


def _head(wire: socket.socket) -> tuple[str, int]:
    """The head of a 200, and how many bytes of the body came with it."""
    received = b""
    while b"\r\n\r\n" not in received:
        got = wire.recv(CHUNK)
        if not got:
            raise RuntimeError(f"no answer: {received[:300]!r}")
        received += got
    head, _, rest = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError((head + rest)[:600].decode("latin-1"))
    return head.decode("latin-1"), len(rest)
