"""A sandbox's way to the platform itself: to the edge's plain socket, under the sandbox's own address."""

from __future__ import annotations

import asyncio
from pathlib import Path

from workspaces.addresses import virtual_address
from workspaces.runner.relay import Streams, Traffic, join

MOST_CONNECTIONS = 64
IDLE_SECONDS = 300.0
_CONNECT_SECONDS = 10.0


class Gateway:
    """The relay of one sandbox."""

    def __init__(self, edge: Path, port: int, offset: int) -> None:
        self._edge = edge
        # haproxy.org, proxy-protocol.txt, section 2.1
        self._line = f"PROXY TCP6 {virtual_address(offset)} ::1 {1024 + offset % 60_000} {port}\r\n".encode()
        self._open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from the sandbox, to its end."""
        inner = Streams(reader, writer)
        if self._open >= MOST_CONNECTIONS:
            inner.close()
            return
        self._open += 1
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                outer = Streams(*await asyncio.open_unix_connection(str(self._edge)))
            try:
                outer.writer.write(self._line)
                await join(inner, outer, IDLE_SECONDS, Traffic())
            finally:
                outer.close()
        except OSError:
            pass  # the edge restarts: a closed connection says as much
        finally:
            self._open -= 1
            inner.close()
