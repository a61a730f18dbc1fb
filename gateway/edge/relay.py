"""One client's connection carried to Caddy: bytes both ways, at most one read held per direction."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
from typing import TYPE_CHECKING

from gateway.edge.casing import AnswerCasing, opened_by_botocore

if TYPE_CHECKING:
    from gateway.edge.front import Front

log = logging.getLogger(__name__)

_BUFFER = memoryview(bytearray(256 << 10))
"""Shared by all connections: it is empty again before the loop's next callback."""
_RETRY_SECONDS = 0.1
_PATIENCE_SECONDS = 10.0
"""How long a client waits while Caddy restarts."""
_LINGER_SECONDS = 1.0
_STALL_SECONDS = 90.0
"""How long a client may take nothing of an answer: longer than Caddy allows, whose end is not seen meanwhile."""


def proxy_line(client: socket.socket) -> bytes:
    """The PROXY protocol's first version (haproxy.org, proxy-protocol.txt, section 2.1) for an accepted socket."""
    source, target = client.getpeername(), client.getsockname()
    version = ipaddress.ip_address(source[0].partition("%")[0]).version
    return f"PROXY TCP{version} {source[0]} {target[0]} {source[1]} {target[1]}\r\n".encode()


class Relay:
    """One client's connection and the one to Caddy that carries it."""

    def __init__(self, front: Front, client: socket.socket, caddy: str, *, mends: bool = True) -> None:
        """`caddy` is the path of its socket; `mends` looks for botocore."""
        self._front = front
        self._loop = front.loop
        self._client = client
        self._path = caddy
        self._caddy = socket.socket(socket.AF_UNIX)
        self._caddy.setblocking(False)
        self._held: dict[socket.socket, bytes] = {client: b"", self._caddy: proxy_line(client)}
        self._ended: set[socket.socket] = set()  # sides that will send no more
        self._discarding = False  # Caddy takes no more of the client's bytes, but may still have an answer
        self._casing: AnswerCasing | None = None
        self._seen_first = not mends
        self._stalled: asyncio.TimerHandle | None = None

    def connect(self, waited: float = 0.0) -> None:
        """Reach Caddy, again while it restarts."""
        try:
            self._caddy.connect(self._path)
        except OSError as e:
            if e.errno not in (errno.ECONNREFUSED, errno.ENOENT, errno.EAGAIN) or waited >= _PATIENCE_SECONDS:
                log.warning("Caddy cannot be reached: %s", e)
                self.close()
                return
            self._loop.call_later(_RETRY_SECONDS, self.connect, waited + _RETRY_SECONDS)
            return
        self._loop.add_reader(self._client, self._from_client)
        self._loop.add_reader(self._caddy, self._from_caddy)
        self._flush(self._caddy, self._client)

    def close(self) -> None:
        self._moving()
        for side in (self._client, self._caddy):
            if side.fileno() >= 0:
                self._loop.remove_reader(side)
                self._loop.remove_writer(side)
                side.close()
        self._front.relays.discard(self)

    def _from_client(self) -> None:
        data = self._read(self._client, self._caddy)
        if data is None:
            return
        if not self._seen_first:
            self._seen_first = True
            if opened_by_botocore(bytes(data)):
                self._casing = AnswerCasing()
        if self._casing is not None:
            self._casing.asked(data)
        if not self._discarding:
            self._send(self._caddy, self._client, data)

    def _from_caddy(self) -> None:
        data = self._read(self._caddy, self._client)
        if data is None:
            return
        if self._casing is not None:
            data = memoryview(self._casing.answered(data))
        self._send(self._client, self._caddy, data)

    def _read(self, source: socket.socket, target: socket.socket) -> memoryview | None:
        """What has arrived, or None: nothing yet, the side's end, or the connection's."""
        try:
            size = source.recv_into(_BUFFER)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            self.close()
            return None
        if size:
            return _BUFFER[:size]
        self._loop.remove_reader(source)
        self._ended.add(source)
        if not self._held[target]:
            self._end(target)
        return None

    def _send(self, target: socket.socket, source: socket.socket, data: memoryview) -> None:
        if self._held[target]:  # PROXY line not out yet
            self._held[target] += bytes(data)
            self._loop.remove_reader(source)
            return
        sent = self._try(target, data)
        if sent < len(data):
            self._held[target] = bytes(data[sent:])
            self._waiting(target)
            self._loop.remove_reader(source)
            self._loop.add_writer(target, self._flush, target, source)

    def _try(self, target: socket.socket, data: bytes | memoryview) -> int:
        """How much a side took now. One that takes no more counts as having taken all."""
        try:
            return target.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            if target is self._client:
                self.close()
            self._discarding = True
            return len(data)

    def _flush(self, target: socket.socket, source: socket.socket) -> None:
        """Send what is held; then read the other side again, or pass on its end."""
        taken = self._try(target, self._held[target])
        if target.fileno() < 0:
            return
        self._held[target] = self._held[target][taken:]
        if taken and target is self._client:
            self._moving()
            self._waiting(target)
        if self._held[target]:
            self._loop.add_writer(target, self._flush, target, source)
            return
        self._loop.remove_writer(target)
        if source in self._ended:
            self._end(target)
        else:
            reader = self._from_client if source is self._client else self._from_caddy
            self._loop.add_reader(source, reader)

    def _waiting(self, target: socket.socket) -> None:
        """What is held for a client is not held for ever."""
        if self._held[target] and target is self._client and self._stalled is None:
            self._stalled = self._loop.call_later(_STALL_SECONDS, self.close)

    def _moving(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _end(self, target: socket.socket) -> None:
        """The other side sends no more: tell this one; with both ended, nothing is left to do.

        A client that is still sending when Caddy has answered and gone is listened to for a moment: closing on
        bytes that were not read would reset the connection, and the answer in it would be lost.
        """
        if len(self._ended) == 2:
            self.close()
            return
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
        if target is self._client:
            self._discarding = True
            self._loop.call_later(_LINGER_SECONDS, self.close)
