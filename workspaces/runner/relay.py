"""Bytes between two streams, with an end to silence."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

CHUNK = 64 * 1024


@dataclass(slots=True)
class Traffic:
    """Bytes that a sandbox sent out and received."""

    sent: int = 0
    received: int = 0


@dataclass(frozen=True, slots=True)
class Streams:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def close(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            self.writer.close()


async def join(inner: Streams, outer: Streams, idle: float, traffic: Traffic) -> None:
    """Relay until both ends are done, one breaks, or nothing moved for `idle` seconds. Closes neither."""
    loop = asyncio.get_running_loop()

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, *, out: bool) -> None:
        while chunk := await source.read(CHUNK):
            if out:
                traffic.sent += len(chunk)
            else:
                traffic.received += len(chunk)
            target.write(chunk)
            await target.drain()
            limit.reschedule(loop.time() + idle)
        with contextlib.suppress(OSError, RuntimeError):
            target.write_eof()

    try:
        async with asyncio.timeout(idle) as limit, asyncio.TaskGroup() as group:
            group.create_task(copy(inner.reader, outer.writer, out=True))
            group.create_task(copy(outer.reader, inner.writer, out=False))
    except* OSError:  # also the time limit
        pass
