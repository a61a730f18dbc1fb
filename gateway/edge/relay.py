"""One client's connection carried to Caddy: bytes both ways, at most one read held per direction.

Heads are read, since they may have to be mended; what comes in large pieces and is nobody's to look at passes through
a pipe in the kernel instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
from typing import TYPE_CHECKING

from gateway.edge.casing import AnswerCasing, opened_by_botocore
from gateway.edge.pipes import Pipe

if TYPE_CHECKING:
    from gateway.edge.front import Front

log = logging.getLogger(__name__)

_BUFFER = memoryview(bytearray(256 << 10))
"""Shared by all connections: it is empty again before the loop's next callback."""
_LARGE = 32 << 10
"""What arrives in pieces of this size is worth a pipe: two calls instead of two copies."""
_ANY = 1 << 30
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
        self._piped: dict[socket.socket, Pipe] = {}  # held as well, instead of bytes
        self._streaming: set[socket.socket] = set()  # sides whose last piece was large
        self._ended: set[socket.socket] = set()  # sides that will send no more
        self._discarding = False  # Caddy takes no more of the client's bytes, but may still have an answer
        self._casing: AnswerCasing | None = None
        self._seen_first = not mends
        self._stalled: asyncio.TimerHandle | None = None
        self._connected = False

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
        self._connected = True
        self._loop.add_reader(self._client, self._from_client)
        self._loop.add_reader(self._caddy, self._from_caddy)
        self._flush(self._caddy, self._client)

    def look(self) -> None:
        """Hear of Caddy's end, if that was missed.

        It may close before it has read all. uvloop tells of such an error once, as of bytes to read, and of nothing
        after it: where there were bytes, the end behind them is not heard of unless the socket is registered anew.
        """
        if self._connected and self._caddy not in self._ended and not self._holds(self._client):
            if self._caddy.fileno() >= 0:
                self._loop.remove_reader(self._caddy)
                self._loop.add_reader(self._caddy, self._from_caddy)

    def close(self) -> None:
        self._moving()
        while self._piped:
            self._front.pipes.give(self._piped.popitem()[1])
        for side in (self._client, self._caddy):
            if side.fileno() >= 0:
                self._loop.remove_reader(side)
                self._loop.remove_writer(side)
                side.close()
        self._front.relays.discard(self)

    def _from_client(self) -> None:
        if self._passes(self._client) and self._splice(self._client, self._caddy):
            return
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
        self._answer()
        if self._discarding or self._client in self._ended:
            self._loop.call_soon(self.look)

    def _answer(self) -> None:
        if self._passes(self._caddy) and self._splice(self._caddy, self._client):
            return
        data = self._read(self._caddy, self._client)
        if data is None:
            return
        if self._casing is not None:
            data = memoryview(self._casing.answered(data))
        self._send(self._client, self._caddy, data)

    def _passes(self, source: socket.socket) -> int:
        """How many of the next bytes need not be looked at and are worth a pipe."""
        if source not in self._streaming or self._discarding:
            return 0
        if self._casing is None:
            return _ANY
        return self._casing.answer_left if source is self._caddy else _ANY * self._casing.request_open

    def _splice(self, source: socket.socket, target: socket.socket) -> bool:
        """Move what has arrived; False at the side's end and where there is no pipe."""
        pipe = self._front.pipes.take()
        if pipe is None:
            return False
        try:
            moved = pipe.fill(source, self._passes(source))
        except OSError as e:
            self._front.pipes.give(pipe)
            if not isinstance(e, (BlockingIOError, InterruptedError)):
                self.close()
            return True
        if moved < _LARGE:
            self._streaming.discard(source)
        if self._casing is not None and source is self._caddy:
            self._casing.passed(moved)
        self._piped[target] = pipe
        self._pour(target)
        if target in self._piped:
            self._wait_for(target, source)
        return moved > 0

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
            if size >= _LARGE:
                self._streaming.add(source)
            return _BUFFER[:size]
        self._loop.remove_reader(source)
        self._ended.add(source)
        if not self._held[target]:
            self._end(target)
        if source is self._client:
            self._loop.call_soon(self.look)
        return None

    def _send(self, target: socket.socket, source: socket.socket, data: memoryview) -> None:
        if self._held[target]:  # PROXY line not out yet
            self._held[target] += bytes(data)
            self._loop.remove_reader(source)
            return
        sent = self._try(target, data)
        if sent < len(data):
            self._held[target] = bytes(data[sent:])
            self._wait_for(target, source)

    def _wait_for(self, target: socket.socket, source: socket.socket) -> None:
        """A side takes no more: the other is not read until it has."""
        if target.fileno() < 0:
            return
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
            self._gone(target)
            return len(data)

    def _pour(self, target: socket.socket) -> int:
        """As `_try`, of what is in a side's pipe; an empty one goes back."""
        pipe = self._piped[target]
        taken = 0
        try:
            if pipe.held:
                taken = pipe.drain(target)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            taken, pipe.broken = pipe.held, True
        if pipe.broken or not pipe.held:
            self._front.pipes.give(self._piped.pop(target))
        if pipe.broken:
            self._gone(target)
        return taken

    def _gone(self, target: socket.socket) -> None:
        """A side takes no more."""
        if target is self._client:
            self.close()
        self._discarding = True
        self._loop.call_soon(self.look)

    def _flush(self, target: socket.socket, source: socket.socket) -> None:
        """Send what is held; then read the other side again, or pass on its end."""
        if target in self._piped:
            taken = self._pour(target)
        else:
            taken = self._try(target, self._held[target])
            self._held[target] = self._held[target][taken:]
        if target.fileno() < 0:
            return
        if taken and target is self._client:
            self._moving()
            self._waiting(target)
        if self._holds(target):
            self._loop.add_writer(target, self._flush, target, source)
            return
        self._loop.remove_writer(target)
        if source in self._ended:
            self._end(target)
        else:
            reader = self._from_client if source is self._client else self._from_caddy
            self._loop.add_reader(source, reader)

    def _holds(self, target: socket.socket) -> bool:
        return bool(self._held[target]) or target in self._piped

    def _waiting(self, target: socket.socket) -> None:
        """What is held for a client is not held for ever."""
        if target is self._client and self._holds(target) and self._stalled is None:
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
