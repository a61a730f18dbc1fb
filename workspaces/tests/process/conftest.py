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
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from gateway.supervisor import account as accounts
from gateway.supervisor import probes
from gateway.supervisor.child import die_with_parent
from workspaces.providers.base import WORKSPACE_VOLUME, Limits, Spec
from workspaces.providers.process import ProcessProvider
from workspaces.tests.provider_contract import MIB, eventually, request

ROOT = Path(__file__).resolve().parents[3]
SHELL = Path(__file__).with_name("shell_server.py").read_text(encoding="utf-8")


class Runner:
    """A home with a runner in it, which may be ended and started again."""

    def __init__(
        self, home: Path, environment: dict[str, str], wrapped: tuple[str, ...], as_root: bool
    ) -> None:
        self.home = home
        self.account = accounts.choose()
        self._wrapped, self._as_root = wrapped, as_root
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

    def start(self, *, ok: bool = True) -> None:
        told = {"GATEHOUSE_HOME": str(self.home), "GATEHOUSE_ENV": "development", "PATH": os.environ["PATH"]}
        with (self.home.parent / "runner.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._wrapped, sys.executable, "-m", "workspaces.runner"],
                cwd=ROOT,
                env={**told, **self._environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),
                **({} if self._as_root else self.account.popen_arguments()),  # type: ignore[call-overload]
            )
        until = time.monotonic() + 60
        while not (self.provider.availability().ok if ok else probes.listens(self.socket)):
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < until, self.said()
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    def said(self) -> str:
        return (self.home.parent / "runner.log").read_text(errors="replace")

    def inhabited(self, key: str = "") -> list[int]:
        """Processes that run inside a sandbox of this runner, or of that key, by what they have mounted."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"{self.home}/workspaces/volumes/{key}" in (entry / "mountinfo").read_text():
                    found.append(int(entry.name))
        return found


@contextlib.contextmanager
def running(
    *wrapped: str, ok: bool = True, as_root: bool = False, below: str | None = None, **environment: str
) -> Iterator[Runner]:
    """A runner of its own; `wrapped` stands before its command. Without `ok` sandboxes need not be possible.

    `below` is the folder that its home is made in.
    """
    folder = Path(tempfile.mkdtemp(prefix="gh-runner-", dir=below))
    folder.chmod(0o755)
    runner = Runner(folder / "home", environment, wrapped, as_root)
    try:
        runner.start(ok=ok)
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


@dataclass
class Box:
    """A sandbox whose server runs shell commands."""

    runner: Runner
    spec: Spec

    @property
    def folder(self) -> Path:
        return self.runner.home / "ws" / self.spec.key

    @property
    def volume(self) -> Path:
        return self.runner.home / "workspaces" / "volumes" / self.spec.key

    def start(self) -> None:
        self.runner.provider.ensure(self.spec, running=True)

    def sh(self, command: str) -> str:
        """What the command wrote. Fails the test where it failed."""
        status, said = self.try_sh(command)
        assert status == 200, said
        return said

    def try_sh(self, command: str) -> tuple[int, str]:
        found: tuple[int, str] = eventually(
            lambda: request(f"unix/{self.folder}/p8080.sock", f"/?{quote(command)}")
        )
        return found

    def python(self, code: str) -> str:
        return self.sh(f"python3 - <<'END'\n{code}\nEND")


def box(runner: Runner, **fields: Any) -> Box:
    """Not started yet, nor removed in the end."""
    defaults: dict[str, Any] = {
        "key": f"w-{os.urandom(8).hex()}",
        "kind": "workspace",
        "tenant": "walls",
        "name": "box",
        "offset": 1,
        "limits": Limits(256 * MIB, 1000, 64),
        "command": ("python3", "-u", "-c", SHELL),
        "volumes": (WORKSPACE_VOLUME,),
    }
    return Box(runner, Spec(**(defaults | fields)))


@pytest.fixture(scope="module")
def shared(runner: Runner) -> Iterator[Box]:
    """One for all tests of a module that only look."""
    made = box(runner, environment={"TOKEN": "s3cret-of-the-box"}, offset=0x1F2E)
    made.start()
    yield made
    runner.provider.remove(made.spec.key, volumes=True)


@pytest.fixture
def another(runner: Runner) -> Iterator[Any]:
    """Makes sandboxes that are started, and removed in the end."""
    made: list[Box] = []

    def make(**fields: Any) -> Box:
        made.append(box(runner, **fields))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        runner.provider.remove(one.spec.key, volumes=True)
