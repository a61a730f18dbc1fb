"""Starts programs in order, restarts what crashes, and leaves nothing behind."""

import contextlib
import math
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from gateway.supervisor import sessions
from gateway.supervisor.account import Account
from gateway.supervisor.child import Child, Program, spawn
from gateway.supervisor.errors import Refusal

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
SETTLED_SECONDS = 60.0  # having run this long, a crash counts as the first again
TRIES_BEFORE_READY = 3
LONGEST_LINE = 64 * 1024
PROBE_SECONDS = 0.1

Lines = Callable[[str, str], None]


class Supervisor:
    """Runs programs as children of this process.

    Use as a context manager: leaving it stops everything, in the reverse of the order in which things wait
    for each other, with SIGKILL for what does not go in time. There is one thread, because a parent-death
    signal follows the thread that forked.
    """

    def __init__(self, account: Account, folder: Path, mark: str, lines: Lines) -> None:
        self._account = account
        self._folder = folder
        self._mark = mark
        self._lines = lines
        self._children: dict[str, Child] = {}
        self._sessions: set[int] = set()
        self._selector = selectors.DefaultSelector()
        self._watcher: subprocess.Popen[str] | None = None
        self._stop_asked: signal.Signals | None = None
        self._started = time.monotonic()

    @property
    def stop_asked(self) -> signal.Signals | None:
        """The signal that asked us to end, if one did."""
        return self._stop_asked

    def __enter__(self) -> "Supervisor":
        self._wake, wake_writer = socket.socketpair()
        for end in (self._wake, wake_writer):
            end.setblocking(False)
        signal.set_wakeup_fd(wake_writer.fileno(), warn_on_full_buffer=False)
        self._wake_writer = wake_writer
        self._selector.register(self._wake, selectors.EVENT_READ, None)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)  # wakes the selector
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_stop)
        self._start_watcher()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._stop()
        signal.set_wakeup_fd(-1)

    def add(self, *programs: Program) -> None:
        """Have programs started as soon as what they come after is ready."""
        for program in programs:
            self._children[program.name] = Child(program)

    def wait_ready(self, limit: float, is_ready: Callable[[], bool] = lambda: True) -> bool:
        """Run until every program is ready and `is_ready` agrees; False when asked to stop meanwhile.

        A program that ends several times without ever having been ready is refused, so is the time limit.
        """
        deadline = time.monotonic() + limit
        while not (all(child.ready for child in self._children.values()) and is_ready()):
            if self._stop_asked is not None:
                return False
            for child in self._children.values():
                if child.program.once and child.code:
                    raise Refusal(f"{child.program.name} failed: {child.why()}")
                if not child.ever_ready and child.failures >= TRIES_BEFORE_READY:
                    raise Refusal(f"{child.program.name} does not start: {child.why()}")
            if time.monotonic() > deadline:
                late = [name for name, child in self._children.items() if not child.ready] or ["the platform"]
                raise Refusal(f"{', '.join(late)} not ready after {limit:.0f} s: the lines above say why")
            self.tick(PROBE_SECONDS)
        return True

    def said(self, name: str) -> list[str]:
        """The last lines of the program `name`."""
        return list(self._children[name].said) if name in self._children else []

    def watch(self) -> None:
        """Run until asked to stop."""
        while self._stop_asked is None:
            self.tick(1.0)

    def states(self) -> list[dict[str, object]]:
        """What each child is doing, for `status`."""
        return [
            {
                "name": name,
                "pid": child.process.pid if child.process is not None else None,
                "ready": child.ready,
                "restarts": child.restarts,
            }
            for name, child in self._children.items()
            if not child.program.once
        ]

    def tick(self, longest: float) -> None:
        """Wait for something to happen, at most `longest` seconds, and attend to it."""
        self._pump(self._time_to_wait(longest))
        now = time.monotonic()
        if self._watcher is not None and self._watcher.poll() is not None:
            self._start_watcher()
        for child in list(self._children.values()):
            self._reap(child, now)
            if self._stop_asked is not None:
                continue
            if child.process is None and now >= child.due_at and self._may_start(child):
                self._start(child, now)
            elif child.process is not None and not child.ready and child.program.is_ready():
                child.ready = child.ever_ready = True
                self._lines("gatehouse", f"{child.program.name} is ready ({now - self._started:.1f} s)")
            elif child.ready and child.failures and now - child.started_at > SETTLED_SECONDS:
                child.failures = 0

    def _time_to_wait(self, longest: float) -> float:
        """Shorter while something is being started or is about to be restarted."""
        waiting = any(not child.ready for child in self._children.values())
        return min(longest, PROBE_SECONDS) if waiting else longest

    def _may_start(self, child: Child) -> bool:
        """At first when all it waits for is ready; again at once: it deals with others that restart."""
        return (
            child.program.early
            or child.ever_ready
            or all(self._children[name].ready for name in (*child.program.needs, *child.program.after))
        )

    def _start(self, child: Child, now: float) -> None:
        try:
            process = spawn(child.program, self._account, self._folder, self._mark)
        except OSError as error:
            raise Refusal(
                f"cannot start {child.program.name}: {error.strerror}: {error.filename or ''}"
            ) from error
        child.process, child.started_at, child.tail = process, now, b""
        self._sessions.add(process.pid)
        self._tell_watcher(f"+{process.pid}\n")
        assert process.stdout is not None
        self._selector.register(process.stdout, selectors.EVENT_READ, child)

    def _reap(self, child: Child, now: float) -> None:
        """Note the end of a child: kill what it left behind and plan its restart."""
        process = child.process
        if process is None or process.poll() is None:
            return
        self._drain(child)
        sessions.kill(sessions.members({process.pid}, "\0"))
        self._sessions.discard(process.pid)
        self._tell_watcher(f"-{process.pid}\n")
        child.process, child.ready, child.code = None, False, process.returncode
        if now - child.started_at > SETTLED_SECONDS:
            child.failures = 0
        if child.program.once:
            child.ready, child.due_at = child.code == 0, math.inf
            return
        pause = min(FIRST_PAUSE_SECONDS * 2**child.failures, LONGEST_PAUSE_SECONDS)
        child.failures += 1
        child.restarts += 1
        child.due_at = now + pause
        if self._stop_asked is None:
            how = _how(process.returncode)
            self._lines(
                "gatehouse", f"{child.program.name} ended ({how}), starting it again in {pause:.1f} s"
            )

    def _pump(self, longest: float) -> None:
        for key, _ in self._selector.select(longest):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    self._wake.recv(4096)
            else:
                self._read(key.data)

    def _read(self, child: Child) -> bool:
        """Pass on what a child wrote; False at the end of its output."""
        process = child.process
        if process is None or process.stdout is None or process.stdout.closed:
            return False
        try:
            received = os.read(process.stdout.fileno(), LONGEST_LINE)
        except BlockingIOError:
            return False
        if not received:
            self._selector.unregister(process.stdout)
            process.stdout.close()
        *lines, child.tail = (child.tail + received).split(b"\n")
        if len(child.tail) >= LONGEST_LINE or not received:
            lines, child.tail = [*lines, *([child.tail] if child.tail else [])], b""
        for line in lines:
            text = line.decode(errors="replace").rstrip("\r")
            child.said.append(text)
            if not any(words in text for words in child.program.hush):
                self._lines(child.program.name, text)
        return bool(received)

    def _drain(self, child: Child) -> None:
        while self._read(child):
            pass
        process = child.process
        if process is not None and process.stdout is not None and not process.stdout.closed:
            self._selector.unregister(process.stdout)  # a grandchild still holds the other end
            process.stdout.close()

    def _stop(self) -> None:
        """End every child in reverse order, then everything that still belongs to the instance."""
        if self._stop_asked is None:
            self._stop_asked = signal.SIGTERM
        deadlines: dict[str, float] = {}
        while running := [child for child in self._children.values() if child.process is not None]:
            needed = {name for child in running for name in child.program.needs}
            now = time.monotonic()
            for child in running:
                name = child.program.name
                if name not in needed and name not in deadlines:
                    deadlines[name] = now + child.program.patience
                    self._signal(child)
            late = {
                child.process.pid
                for child in running
                if child.process is not None and now > deadlines.get(child.program.name, math.inf)
            }
            if late:
                sessions.kill(sessions.members(late, "\0"))
            self._pump(0.05)
            for child in running:
                self._reap(child, now)
        sessions.kill(sessions.members(self._sessions, self._mark))
        if self._watcher is not None and self._watcher.stdin is not None:
            with contextlib.suppress(OSError):
                self._watcher.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._watcher.wait(timeout=2)

    def _signal(self, child: Child) -> None:
        if child.process is not None:
            with contextlib.suppress(ProcessLookupError):
                child.process.send_signal(child.program.stop_signal)

    def _start_watcher(self) -> None:
        self._watcher = subprocess.Popen(
            [sys.executable, "-m", "gateway.supervisor.watcher", self._mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        for session in self._sessions:
            self._tell_watcher(f"+{session}\n")

    def _tell_watcher(self, line: str) -> None:
        if self._watcher is not None and self._watcher.stdin is not None:
            with contextlib.suppress(OSError):  # it was killed: tick starts another and tells it everything
                self._watcher.stdin.write(line)
                self._watcher.stdin.flush()

    def _ask_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop_asked = signal.Signals(number)


def _how(code: int) -> str:
    if code >= 0:
        return f"exit {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
