"""Bytes from one socket to another, both ways; the sandbox has no network, so its ports are unix sockets outside."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

CHUNK = 64 * 1024
MAX_STREAMS = 256
CONNECT_TIMEOUT = 10.0

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay:
    """Accepts on `sock` and joins each stream to a new one from `connect`.

    At most MAX_STREAMS at once: a further one is closed. Memory is bound per stream, since each way reads
    only what the other side took.
    """

    def __init__(self, sock: socket.socket, connect: Callable[[], Awaitable[Streams]]) -> None:
        self._sock = sock
        self._connect = connect
        self.streams = 0

    async def run(self) -> None:
        """Serve until cancelled."""
        server = await asyncio.start_server(self._joined, sock=self._sock, limit=CHUNK)
        async with server:
            await server.serve_forever()

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.streams >= MAX_STREAMS:
            writer.close()
            return
        self.streams += 1
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                far_reader, far_writer = await self._connect()
            try:
                await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
            finally:
                far_writer.close()
        except (OSError, TimeoutError):
            pass  # the caller sees a closed stream, as of a port where nobody listens
        finally:
            self.streams -= 1
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK):
        writer.write(chunk)
        await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
