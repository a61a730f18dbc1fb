"""A terminal inside a sandbox, from the runner's side."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios

from workspaces.runner.control import Control

_READ = 64 * 1024


class Terminal:
    """A pseudo-terminal's near end. What cannot be written now is waited for, so nothing piles up here."""

    def __init__(self, control: Control, number: int, descriptor: int) -> None:
        self._control, self._number, self._descriptor = control, number, descriptor
        self._loop = asyncio.get_running_loop()
        self._waiters: set[asyncio.Future[None]] = set()
        os.set_blocking(descriptor, False)

    async def read(self) -> bytes:
        """What the command wrote; empty at its end."""
        while self._descriptor >= 0:
            try:
                return os.read(self._descriptor, _READ)
            except BlockingIOError:
                await self._ready(reading=True)
            except OSError:  # EIO: nobody has the far end open
                break
        return b""

    async def write(self, data: bytes) -> None:
        while data and self._descriptor >= 0:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                await self._ready(reading=False)
            except OSError:
                return

    def resize(self, columns: int, rows: int) -> None:
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        """End the command with everything it started."""
        if self._descriptor >= 0:
            self._control.hang_up(self._number)
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
            for waiter in self._waiters:
                _wake(waiter)

    async def _ready(self, *, reading: bool) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        descriptor = self._descriptor
        self._waiters.add(waiter)
        add = self._loop.add_reader if reading else self._loop.add_writer
        remove = self._loop.remove_reader if reading else self._loop.remove_writer
        add(descriptor, _wake, waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
            if self._descriptor == descriptor:
                remove(descriptor)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
