"""The fake provider with real shells: on this machine, in a pseudo-terminal each.

They have an environment of their own: what the home of whoever runs the tests has for shells may wait for ever.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
from typing import ClassVar

from workspaces.providers.base import Capability, NotThere
from workspaces.providers.fake import FakeProvider


class Shell:
    """A command with a terminal; see `workspaces.providers.base.Terminal`."""

    def __init__(self, command: tuple[str, ...], columns: int, rows: int) -> None:
        self._master, slave = pty.openpty()
        self._closed = False
        self.resize(columns, rows)
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, cwd="/",
            env={"PATH": os.defpath, "HOME": "/nonexistent"},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)

    def read(self, most: int = 65_536) -> bytes:
        try:
            return os.read(self._master, most)
        except OSError:  # the last program that had it open has ended
            return b""

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._master, data) :]

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
            os.close(self._master)


class ShellProvider(FakeProvider):
    """`shells` are those that were opened, by key."""

    capabilities: ClassVar[frozenset[Capability]] = FakeProvider.capabilities | {Capability.TERMINAL}

    def __init__(self) -> None:
        super().__init__()
        self.shells: dict[str, list[Shell]] = {}

    def execute(self, key: str, command: tuple[str, ...], *, columns: int, rows: int) -> Shell:
        if self._there(key).server is None:
            raise NotThere("It does not run.")
        shell = Shell(command, columns, rows)
        self.shells.setdefault(key, []).append(shell)
        return shell

    def close(self) -> None:
        for shells in self.shells.values():
            for shell in shells:
                shell.close()
        super().close()
