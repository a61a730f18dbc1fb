"""A TCP port of a service: bytes between a client and the service, without Caddy."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import Final

log = logging.getLogger(__name__)

DIAL_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 3600.0
"""A connection on which nothing moves in either direction for so long ends."""
_MOST: Final = 64 << 10
"""Held per direction; what one side does not take, the other is not asked for."""
_KEEPALIVE_SECONDS: Final = 60


class Carried:
    """One connection. `run` ends when both sides have said all, one breaks, or nothing moves."""

    def __init__(self, client: socket.socket, dial: str) -> None:
        self._client, self._dial = client, dial
        self._moved = 0.0

    async def run(self) -> None:
        writers: list[asyncio.StreamWriter] = []
        try:
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_SECONDS)
            near_reader, near = await asyncio.open_connection(sock=self._client, limit=_MOST)
            writers.append(near)
            async with asyncio.timeout(DIAL_SECONDS):
                far_reader, far = await open_dial(self._dial, limit=_MOST)
            writers.append(far)
            for writer in writers:
                writer.transport.set_write_buffer_limits(high=_MOST)
            self._moved = asyncio.get_running_loop().time()
            async with asyncio.TaskGroup() as both:
                both.create_task(self._copy(near_reader, far))
                both.create_task(self._copy(far_reader, near))
        except* (OSError, TimeoutError) as errors:
            log.debug("a connection to %s ended: %s", self._dial, errors.exceptions)
        finally:
            for writer in writers:
                writer.close()
            if not writers:
                self._client.close()

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Until the source's end, which the target is told of. Raises TimeoutError when nothing moves."""
        loop = asyncio.get_running_loop()
        while True:
            waiting = self._moved + IDLE_SECONDS - loop.time()
            data: bytes | None = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, waiting)):
                    data = await source.read(_MOST)
                    self._moved = loop.time()
                    if data:
                        target.write(data)
                        await target.drain()
                        self._moved = loop.time()
            if data == b"":
                if target.can_write_eof():
                    target.write_eof()
                return
            if loop.time() >= self._moved + IDLE_SECONDS:
                raise TimeoutError


async def open_dial(dial: str, *, limit: int = _MOST) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to `host:port` or `unix//absolute/path`. Raises OSError."""
    if dial.startswith("unix/"):
        return await asyncio.open_unix_connection(dial.removeprefix("unix/"), limit=limit)
    host, _, port = dial.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port), limit=limit)
