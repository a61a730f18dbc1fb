"""One supervised process: how it is started, and what the supervisor knows about it."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.supervisor.account import Account
from gateway.supervisor.sessions import MARK

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Program:
    """What to run. `is_ready` is asked until it says yes; `after` names what must be ready before."""

    name: str
    command: list[str]
    is_ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    stdin: bytes | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    patience: float = 5.0  # seconds between the stop signal and SIGKILL


@dataclass
class Child:
    """A program with its current process, if any, and its history of failures."""

    program: Program
    process: subprocess.Popen[bytes] | None = None
    ready: bool = False
    ever_ready: bool = False
    failures: int = 0
    started_at: float = 0.0
    due_at: float = 0.0
    tail: bytes = b""

    @property
    def running(self) -> bool:
        return self.process is not None


def spawn(program: Program, account: Account, folder: Path, mark: str) -> subprocess.Popen[bytes]:
    """Start the program in a session of its own as `account`; its output comes over one pipe.

    The kernel signals it when the supervisor dies. That setting is lost when a process changes its user, so
    it is made last, and a supervisor that died in between is noticed by the changed parent.
    """
    supervisor = os.getpid()

    def before_exec() -> None:
        if LIBC is not None:
            LIBC.prctl(PR_SET_PDEATHSIG, int(program.stop_signal), 0, 0, 0)
            if os.getppid() != supervisor:
                os._exit(1)

    process = subprocess.Popen(
        program.command,
        stdin=subprocess.DEVNULL if program.stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env={**program.environment, MARK: mark},
        start_new_session=True,
        preexec_fn=before_exec,
        umask=0o027 if account.switch else -1,
        **account.popen_arguments(),  # type: ignore[call-overload]
    )
    if program.stdin is not None and process.stdin is not None:
        process.stdin.write(program.stdin)
        process.stdin.close()
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return process
