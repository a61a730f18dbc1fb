"""A terminal inside a sandbox, from the runner's side."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import socket
import struct
import termios
import threading

from workspaces.runner.control import Control

_READ = 64 * 1024
_END_SECONDS = 5.0


class Terminal:
    """A pseudo-terminal's near end. What cannot be written now is waited for, so nothing piles up here.

    Its descriptor came from the sandbox, which may have kept it: whether reading it blocks is the sandbox's to say, as
    that is a property of both. So a thread reads and writes it, and the event loop a socket of our own. A thread that
    is still held up when the terminal is closed belongs to a sandbox that was tampered with.
    """

    def __init__(self, control: Control, number: int, descriptor: int) -> None:
        self._control, self._number = control, number
        self._loop = asyncio.get_running_loop()
        self._size = os.dup(descriptor)
        self._near, far = socket.socketpair()
        self._near.setblocking(False)
        os.set_blocking(descriptor, False)
        name = f"terminal-{number}"
        self._thread = threading.Thread(target=_carry, args=(descriptor, far), name=name, daemon=True)
        self._thread.start()

    async def read(self) -> bytes:
        """What the command wrote; empty at its end."""
        with contextlib.suppress(OSError):  # closed meanwhile
            return await self._loop.sock_recv(self._near, _READ)
        return b""

    async def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            await self._loop.sock_sendall(self._near, data)

    def resize(self, columns: int, rows: int) -> None:
        if self._size >= 0:
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._size, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        """End the command with everything it started."""
        if self._size < 0:
            return
        self._control.hang_up(self._number)
        os.close(self._size)
        self._size = -1
        with contextlib.suppress(OSError):
            self._near.shutdown(socket.SHUT_RDWR)  # wakes who waits for it, here and on the thread
        self._loop.call_later(_END_SECONDS, self._check)

    def _check(self) -> None:
        self._near.close()
        if self._thread.is_alive():
            self._control.distrust()


def _carry(terminal: int, ours: socket.socket) -> None:
    """Bytes both ways until the terminal or our side ends; one piece of each is held."""
    written, typed = b"", b""
    ours.setblocking(False)
    try:
        while True:
            poll = select.poll()
            poll.register(ours, (0 if typed else select.POLLIN) | (select.POLLOUT if written else 0))
            if wanted := (0 if written else select.POLLIN) | (select.POLLOUT if typed else 0):
                poll.register(terminal, wanted)  # only then: one that has ended says so again and again
            ready = dict(poll.poll())
            there, here = ready.get(terminal, 0), ready.get(ours.fileno(), 0)
            with contextlib.suppress(BlockingIOError):
                if written and here & select.POLLOUT:
                    written = written[ours.send(written) :]
                elif not written and there & ~select.POLLOUT:
                    written = os.read(terminal, _READ)
            with contextlib.suppress(BlockingIOError):
                if there & select.POLLHUP:
                    typed = b""
                elif typed and there & select.POLLOUT:
                    typed = typed[os.write(terminal, typed) :]
                elif not typed and here & select.POLLIN:
                    typed = ours.recv(_READ)
            if here & (select.POLLHUP | select.POLLERR):
                return
    except OSError:  # EIO: nobody has the far end open
        return
    finally:
        os.close(terminal)
        ours.close()
