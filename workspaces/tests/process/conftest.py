"""A real runner with real sandboxes, under the account that root drops to."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.supervisor import account as accounts
from gateway.supervisor.child import die_with_parent
from workspaces.providers.process import ProcessProvider

ROOT = Path(__file__).resolve().parents[3]


class Runner:
    """A home with a runner in it, which may be ended and started again."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.account = accounts.choose()
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        (home / "run").mkdir(parents=True, mode=0o700)
        home.chmod(0o755)
        for path in (home, home / "run"):
            self.account.own(path)
        self.socket = home / "run" / "runner.sock"
        self.provider = ProcessProvider(self.socket)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        log = (self.home.parent / "runner.log").open("ab")
        told = {"GATEHOUSE_HOME": str(self.home), "GATEHOUSE_ENV": "development", "PATH": os.environ["PATH"]}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "workspaces.runner"],
            cwd=ROOT,
            env={**told, **self._environment},
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
            **self.account.popen_arguments(),  # type: ignore[call-overload]
        )
        log.close()
        until = time.monotonic() + 20
        while not (self.socket.is_socket() and self.provider.availability().ok):
            assert self._process.poll() is None and time.monotonic() < until, self.said()
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            self._process.wait(20)
            self._process = None

    def said(self) -> str:
        return (self.home.parent / "runner.log").read_text(errors="replace")


@contextlib.contextmanager
def running(**environment: str) -> Iterator[Runner]:
    folder = Path(tempfile.mkdtemp(prefix="gh-runner-"))
    folder.chmod(0o755)
    runner = Runner(folder / "home", **environment)
    try:
        runner.start()
        yield runner
    finally:
        runner.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def runner() -> Iterator[Runner]:
    with running() as started:
        yield started


@pytest.fixture
def provider(runner: Runner) -> ProcessProvider:
    return runner.provider
