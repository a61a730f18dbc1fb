"""Listening sockets, and taking their clients."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)

_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int


def listen(address: Address) -> socket.socket:
    """A listening socket. Raises OSError, EADDRINUSE among others."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address.host, address.port))
        listener.listen(4096)
    except OSError:
        listener.close()
        raise
    return listener


class Door:
    """Gives each client that connects to `take`, which may raise OSError for one that went away meanwhile."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, listener: socket.socket, take: Callable[[socket.socket], None]
    ) -> None:
        self._loop, self._listener, self._take = loop, listener, take
        self._pause: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Take no more clients."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                client, _address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as e:  # no file descriptor left: the client stays in the queue
                log.error("no connection can be taken: %s", e)
                self._loop.remove_reader(self._listener)
                self._pause = self._loop.call_later(1.0, self._loop.add_reader, self._listener, self._accept)
                return
            client.setblocking(False)
            try:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._take(client)
            except OSError:
                client.close()
