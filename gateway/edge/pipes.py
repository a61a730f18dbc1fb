"""Bytes from one socket to another inside the kernel: splice(2), through pipes that are shared by all connections."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import sys
from typing import Final

_WANTED: Final = 256 << 10
_LEAST: Final = 64 << 10
"""A smaller pipe costs more calls than copying; the kernel gives one to a user who has many."""
_MOST: Final = 256
"""Pipes at a time: each connection whose target takes no more keeps one."""


class Pipe:
    """Holds what came from a socket until another has taken it. Both must be nonblocking."""

    def __init__(self) -> None:
        """Raises OSError."""
        self._out, self._in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if sys.platform == "linux" else (-1, -1)
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, _WANTED)
        self.size = fcntl.fcntl(self._in, fcntl.F_GETPIPE_SZ)
        self.held = 0
        self.broken = False  # its target is gone: what it holds goes too

    def fill(self, source: socket.socket, most: int) -> int:
        """How many bytes came, at most `most`; 0 at the source's end. Raises BlockingIOError and other OSErrors."""
        moved = os.splice(source.fileno(), self._in, min(most, self.size), flags=os.SPLICE_F_NONBLOCK)
        self.held += moved
        return moved

    def drain(self, target: socket.socket) -> int:
        """How many bytes the target took. Raises BlockingIOError and other OSErrors."""
        taken = os.splice(self._out, target.fileno(), self.held, flags=os.SPLICE_F_NONBLOCK)
        self.held -= taken
        return taken

    def close(self) -> None:
        os.close(self._in)
        os.close(self._out)


class Pipes:
    """The pipes of a process, made when they are needed."""

    def __init__(self) -> None:
        self._idle: list[Pipe] = []
        self._left = _MOST if hasattr(os, "splice") else 0

    def take(self) -> Pipe | None:
        """An empty one; None where no more can be had: copy then."""
        if self._idle:
            return self._idle.pop()
        if not self._left:
            return None
        try:
            pipe = Pipe()
        except OSError:
            return None
        if pipe.size < _LEAST:
            pipe.close()
            return None
        self._left -= 1
        return pipe

    def give(self, pipe: Pipe) -> None:
        """Back, whatever it holds."""
        if pipe.held:
            pipe.close()
            self._left += 1
        else:
            self._idle.append(pipe)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()
