"""One supervised process: how it is started, and what the supervisor knows about it."""

import ctypes
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.supervisor.account import Account
from gateway.supervisor.sessions import MARK

PR_SET_PDEATHSIG = 1
SAID_LINES = 20
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Program:
    """What to run. `is_ready` is asked until it says yes.

    What it `needs` is ready before it starts and stopped after it; what it comes `after` is only the former.

    `sockets` are removed before a start: one left by a killed process would keep the next from listening.
    """

    name: str
    command: list[str]
    is_ready: Callable[[], bool] = lambda: False
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    early: bool = False  # starts without waiting for these: it holds its callers until they are there
    sockets: tuple[Path, ...] = ()
    once: bool = False  # ready when it has ended well, and not started again
    hush: tuple[str, ...] = ()  # lines with these words are no news to anyone
    stdin: bytes | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    patience: float = 5.0  # seconds between the stop signal and SIGKILL
    nice: int = 0
    groups: Callable[[], tuple[int, ...]] = tuple  # beside the account's own; asked at each start


@dataclass
class Child:
    """A program with its current process, if any, and its history of failures."""

    program: Program
    process: subprocess.Popen[bytes] | None = None
    ready: bool = False
    ever_ready: bool = False
    failures: int = 0  # in a row
    restarts: int = 0
    started_at: float = 0.0
    due_at: float = 0.0
    code: int | None = None  # how its last process ended
    tail: bytes = b""  # of its output, the line that has not ended yet
    said: deque[str] = field(default_factory=lambda: deque(maxlen=SAID_LINES))

    def why(self) -> str:
        """The line of its output that most likely says why it ended."""
        if any("No space left" in line or "Disk quota" in line for line in self.said):
            return "the disk is full: free some space, or set GATEHOUSE_HOME to another disk"
        words = ("FATAL", "Error", "error", "refused", "denied")
        telling = [line for line in self.said if any(word in line for word in words)]
        return (telling or list(self.said) or ["it said nothing"])[-1].strip()


def die_with_parent(number: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: the kernel sends the process `number` when the parent (its thread that forks) dies.

    The setting is lost when a process changes its user; subprocess changes it before it calls this. A parent
    that died in between is noticed by our having another one. Nothing outside Linux.
    """
    parent = os.getpid()

    def before_exec() -> None:
        if LIBC is not None:
            LIBC.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return before_exec


def _before_exec(program: Program) -> Callable[[], None]:
    bind = die_with_parent(program.stop_signal)

    def before_exec() -> None:
        if program.nice:
            os.nice(program.nice)
        bind()

    return before_exec


def spawn(program: Program, account: Account, folder: Path, mark: str) -> subprocess.Popen[bytes]:
    """Start the program in a session of its own as `account`; its output comes over one pipe.

    Raises OSError when it cannot be run.
    """
    for socket in program.sockets:
        socket.unlink(missing_ok=True)
    process: subprocess.Popen[bytes] = subprocess.Popen(
        program.command,
        stdin=subprocess.DEVNULL if program.stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env={**program.environment, MARK: mark},
        start_new_session=True,
        preexec_fn=_before_exec(program),
        umask=0o027 if account.switch else -1,
        **account.popen_arguments(program.groups()),  # type: ignore[call-overload]
    )
    if program.stdin is not None and process.stdin is not None:
        process.stdin.write(program.stdin)
        process.stdin.close()
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return process
