"""Asking the server in a workspace. Its user runs programs beside it, so nothing it answers is trusted: what is read
has a most, and the whole call an end."""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Any, Final

import orjson

from workspaces.addresses import MCP_PORT, dial

MOST_BYTES: Final = 64 << 10
SECONDS: Final = 2.0


class NoAnswer(Exception):
    """Nothing listens, or what answers is not what was asked for."""


def answers(address: str, *, seconds: float = SECONDS) -> bool:
    """Whether the workspace at `address` says that it serves."""
    try:
        return get(dial(address, MCP_PORT), "/healthz", seconds=seconds)[0] == 200
    except NoAnswer:
        return False


def status(address: str) -> dict[str, Any]:
    """What the workspace's server says of itself: a JSON object of any content. Raises NoAnswer."""
    code, body = get(dial(address, MCP_PORT), "/status")
    try:
        found = orjson.loads(body)  # which takes no endless nesting and no half characters
    except ValueError:
        raise NoAnswer("that is no JSON") from None
    if code != 200 or not isinstance(found, dict):
        raise NoAnswer(f"status {code}")
    return found


def get(where: str, path: str, *, seconds: float = SECONDS) -> tuple[int, bytes]:
    """GET at a dial: status and body, at most MOST_BYTES of it all, within `seconds`. Raises NoAnswer."""
    request = f"GET {path} HTTP/1.0\r\nHost: localhost:{MCP_PORT}\r\nAccept: */*\r\n\r\n".encode()
    try:
        status, _, body = exchange(where, request, until=time.monotonic() + seconds, most=MOST_BYTES)
    except TimeoutError as e:
        raise NoAnswer(str(e)) from e
    return status, body


def exchange(where: str, request: bytes, *, until: float, most: int) -> tuple[int, str, bytes]:
    """Send an HTTP/1.0 request to a dial: status, content type and body of the answer.

    At most `most` bytes are read of it all, until that moment (`time.monotonic`). Raises NoAnswer, TimeoutError.
    """
    try:
        with _connected(where, max(0.01, until - time.monotonic())) as connection:
            connection.sendall(request)
            whole = _read(connection, until, most)
        answer = http.client.HTTPResponse(_Read(whole))  # type: ignore[arg-type]
        answer.begin()
        return answer.status, answer.getheader("Content-Type") or "", answer.read()
    except TimeoutError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as e:
        raise NoAnswer(str(e) or type(e).__name__) from e


def _connected(where: str, seconds: float) -> socket.socket:
    if where.startswith("unix/"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(seconds)
        try:
            connection.connect(where.removeprefix("unix/"))
        except OSError:
            connection.close()
            raise
        return connection
    host, _, port = where.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=seconds)


def _read(connection: socket.socket, until: float, most: int) -> bytes:
    whole = bytearray()
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("it takes too long")
        connection.settimeout(left)
        more = connection.recv(64 << 10)
        if not more:
            return bytes(whole)
        whole += more
        if len(whole) > most:
            raise ValueError("it says too much")


class _Read:
    """What was read, as far as http.client asks a socket: for a file."""

    def __init__(self, whole: bytes) -> None:
        self._whole = whole

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._whole)
