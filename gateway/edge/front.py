"""The plain listener in front of Caddy: `python -m gateway.edge.front`. It relays bytes and mends one thing.

Go's HTTP server, and so Caddy, writes every header name as `X-Amz-Meta-Name`. S3 writes the names of user metadata
in lower case, and botocore (boto3, the AWS CLI), alone among the clients, takes their case for part of the name:
`Metadata={"x": "y"}` would come back as `{"X": "y"}`. On connections that botocore opened, the names are put back
into lower case; every other connection is relayed without being looked at (docs/adr/, "header names").

One process, one buffer: what one side does not take is held (at most one read per direction) and the other side is
not read meanwhile, so memory stays flat whatever passes. Caddy learns the client's address by the PROXY protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging.config
import os
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop
from django.conf import settings

from gateway.edge import instance
from gateway.edge.casing import AnswerCasing, opened_by_botocore

log = logging.getLogger(__name__)

_BUFFER = memoryview(bytearray(256 << 10))
"""Shared by all connections: it is empty again before the loop's next callback."""
_RETRY_SECONDS = 0.1
_PATIENCE_SECONDS = 10.0
"""How long a client waits while Caddy restarts."""
_GRACE_SECONDS = 2.0
_LINGER_SECONDS = 1.0
_STALL_SECONDS = 90.0
"""How long a client may take nothing of an answer: longer than Caddy allows, whose end is not seen meanwhile."""


def proxy_line(client: socket.socket) -> bytes:
    """The PROXY protocol's first version (haproxy.org, proxy-protocol.txt, section 2.1) for an accepted socket."""
    source, target = client.getpeername(), client.getsockname()
    version = ipaddress.ip_address(source[0].partition("%")[0]).version
    return f"PROXY TCP{version} {source[0]} {target[0]} {source[1]} {target[1]}\r\n".encode()


class _Relay:
    """One client's connection and the one to Caddy that carries it."""

    def __init__(self, front: Front, client: socket.socket) -> None:
        self._front = front
        self._loop = front.loop
        self._client = client
        self._caddy = socket.socket(socket.AF_UNIX)
        self._caddy.setblocking(False)
        self._held: dict[socket.socket, bytes] = {client: b"", self._caddy: proxy_line(client)}
        self._ended: set[socket.socket] = set()  # sides that will send no more
        self._discarding = False  # Caddy takes no more of the client's bytes, but may still have an answer
        self._casing: AnswerCasing | None = None
        self._seen_first = False
        self._stalled: asyncio.TimerHandle | None = None

    def connect(self, waited: float = 0.0) -> None:
        """Reach Caddy, again while it restarts."""
        try:
            self._caddy.connect(self._front.caddy)
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


class Front:
    """The listening sockets and the connections they took."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, listeners: Sequence[socket.socket], caddy: str
    ) -> None:
        self.loop = loop
        self.caddy = caddy
        self.relays: set[_Relay] = set()
        self._listeners = listeners
        for listener in listeners:
            listener.setblocking(False)
            loop.add_reader(listener, self._accept, listener)

    def stop(self) -> None:
        """Take no more connections."""
        for listener in self._listeners:
            self.loop.remove_reader(listener)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(64):
            try:
                client, _address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as e:  # no file descriptor left: the client stays in the queue
                log.error("no connection can be taken: %s", e)
                self.loop.remove_reader(listener)
                self.loop.call_later(1.0, self.loop.add_reader, listener, self._accept, listener)
                return
            client.setblocking(False)
            try:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                relay = _Relay(self, client)
            except OSError:  # it went away meanwhile
                client.close()
                continue
            self.relays.add(relay)
            relay.connect()


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int


def listen(address: Address) -> socket.socket:
    """A listening socket. Raises OSError, EADDRINUSE among others."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((address.host, address.port))
    listener.listen(4096)
    return listener


async def serve(listeners: Sequence[socket.socket], caddy: str) -> None:
    """Relay until SIGTERM or SIGINT; connections then have a moment to end."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    front = Front(loop, listeners, caddy)
    await stopped.wait()
    front.stop()
    deadline = loop.time() + _GRACE_SECONDS
    while front.relays and loop.time() < deadline:  # noqa: ASYNC110  once, at the end
        await asyncio.sleep(0.05)


def main() -> int:
    """Relay the instance's plain port; 1 with one line on stderr where it cannot be had."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    logging.config.dictConfig(settings.LOGGING)
    addresses = instance.addresses(settings, settings.HTTP_PORT)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        listeners = [
            listen(Address(host.strip("[]"), int(port)))
            for host, _, port in (address.rpartition(":") for address in addresses)
        ]
    except OSError as e:
        sys.stderr.write(f"front: {' '.join(addresses)}: {os.strerror(e.errno or 0)}\n")
        return 1
    uvloop.run(serve(listeners, str(instance.front_socket(settings))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
