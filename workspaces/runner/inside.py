"""The first process of a sandbox: starts its command, gives it terminals, and ends everything when the command ends.

`python -I -S inside.py CONTROL CONFIGURATION`, two descriptors: a SOCK_SEQPACKET socket to the runner, and a file
that holds what is to be run as JSON. It alone of the platform's code runs here, on the standard library, as the
same user as the workspace's programs: the runner believes nothing it says beyond the sandbox itself.

From the runner: {"do": "stop"}, {"do": "terminal", "id", "command", "columns", "rows"}, {"do": "hang up", "id"}.
To it: {"started": true}, {"id", "terminal": true} with the terminal's descriptor or {"id", "error": text}.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import termios
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing them would take longer than everything else here
    from collections.abc import Iterator
    from typing import Any

LONGEST_MESSAGE = 64 * 1024


class First:
    """What the first process knows."""

    def __init__(self, control: socket.socket, configuration: dict[str, Any]) -> None:
        self.control = control
        self.command: list[str] = configuration["command"]
        self.environment: dict[str, str] = configuration["environment"]
        self.folder: str = configuration["folder"]
        self.limits: dict[str, int] = configuration["limits"]
        self.listeners: list[int] = configuration["listeners"]
        self.main = 0
        self.leaders: dict[int, tuple[int, int]] = {}  # of terminals: process id → id, terminal's device

    def run(self) -> None:
        woken, wake = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self.main = self.start(self.command, ())
        for descriptor in self.listeners:  # a terminal's programs are not to have them
            os.close(descriptor)
        self.say({"started": True})
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(woken, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == woken:
                    with contextlib.suppress(BlockingIOError):
                        os.read(woken, 4096)
                    self.reap()
                else:
                    self.hear()

    def hear(self) -> None:
        message = self.control.recv(LONGEST_MESSAGE)
        if not message:  # the runner is gone
            os._exit(1)
        said = json.loads(message)
        if said["do"] == "stop":
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.main, signal.SIGTERM)
        elif said["do"] == "terminal":
            self.terminal(said)
        elif said["do"] == "hang up":
            for leader, (known, _) in list(self.leaders.items()):
                if known == said["id"]:
                    self.end(leader)

    def terminal(self, said: dict[str, Any]) -> None:
        try:
            near, far = os.openpty()
        except OSError as error:
            self.say({"id": said["id"], "error": error.strerror})
            return
        size = struct.pack("HHHH", said["rows"], said["columns"], 0, 0)
        fcntl.ioctl(far, termios.TIOCSWINSZ, size)
        try:
            leader = self.start(said["command"], (far,))
        except OSError as error:
            self.say({"id": said["id"], "error": error.strerror})
        else:
            device = os.fstat(far).st_rdev
            # As /proc says it: the low byte of the minor number, the major one, the rest of the minor one.
            minor = os.minor(device)
            self.leaders[leader] = said["id"], minor & 0xFF | os.major(device) << 8 | (minor >> 8) << 20
            self.say({"id": said["id"], "terminal": True}, near)
        os.close(near)
        os.close(far)

    def start(self, command: list[str], terminal: tuple[int, ...]) -> int:
        """Fork and run `command`; its process id. What cannot be run says so where its output goes, and ends."""
        pid = os.fork()
        if pid:
            return pid
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            environment = self.environment
            if terminal:
                fcntl.ioctl(terminal[0], termios.TIOCSCTTY, 0)
                for descriptor in range(3):
                    os.dup2(terminal[0], descriptor)
                environment = {"TERM": "xterm-256color", **environment}
            for name, value in self.limits.items():
                number = getattr(resource, name)
                hard = resource.getrlimit(number)[1]
                value = value if hard == resource.RLIM_INFINITY else min(value, hard)
                resource.setrlimit(number, (value, value))
            os.chdir(self.folder)
            os.execvpe(command[0], command, environment)  # noqa: S606
        except OSError as error:
            os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        finally:
            os._exit(127)

    def reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self.main:
                code = os.waitstatus_to_exitcode(status)
                os._exit(code if code >= 0 else 128 - code)
            if pid in self.leaders:
                self.end(pid)
                self.leaders.pop(pid, None)

    def end(self, leader: int) -> None:
        """Kill what a terminal's first process started, but for what made a session of its own on purpose."""
        tty = self.leaders[leader][1]
        for _ in range(20):  # what is forked meanwhile is found by the next look
            table = dict(processes())
            doomed = {
                pid for pid, (_, session, its) in table.items() if leader in (pid, session) or its == tty
            }
            while more := {pid for pid, (parent, _, _) in table.items() if parent in doomed} - doomed:
                doomed |= more
            if not doomed & table.keys():
                return
            for pid in doomed:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)

    def say(self, message: dict[str, Any], descriptor: int | None = None) -> None:
        with contextlib.suppress(OSError):
            data = json.dumps(message).encode()
            if descriptor is None:
                self.control.send(data)
            else:
                socket.send_fds(self.control, [data], [descriptor])


def processes() -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Every live process: (id, (parent, session, terminal))."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/stat", "rb") as file:
                    # "pid (name) state ppid pgrp session tty …", where the name may hold spaces and brackets
                    fields = file.read().rpartition(b")")[2].split()
                if fields[0] not in b"ZX":
                    yield int(name), (int(fields[1]), int(fields[3]), int(fields[4]))


def main() -> None:
    os.umask(0o022)
    control, configuration = (int(word) for word in sys.argv[1:3])
    os.set_inheritable(control, False)
    # Of two that need memory, the platform is to keep it.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("600")
    with open(configuration, "rb") as file:
        told = json.loads(file.read())
    First(socket.socket(fileno=control), told).run()


if __name__ == "__main__":
    main()
