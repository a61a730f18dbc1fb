"""Real supervisors around stand-in programs, and the check that nothing of them is left."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.supervisor import account, pythons, sessions

STANDIN = Path(__file__).with_name("standin.py")
# Children run as the account that root drops to, so on an interpreter which that may enter.
PYTHON = str(pythons.choose(account.choose()).path)
SLEEP = [PYTHON, "-c", "import time; time.sleep(300)"]


def until(true: Callable[[], Any], limit: float = 60.0) -> Any:
    """What `true` answered once it answered something true; fails the test after `limit` seconds."""
    deadline = time.monotonic() + limit
    while not (answer := true()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return answer


@dataclass
class Standin:
    """One supervisor process: what it printed, and what runs under its mark."""

    process: subprocess.Popen[str]
    mark: str
    log: Path
    killed: list[int] = field(default_factory=list)

    def text(self) -> str:
        return self.log.read_text()

    def says(self, words: str, limit: float = 60.0) -> None:
        until(lambda: words in self.text(), limit)

    def running(self) -> list[int]:
        """Every process of the instance, however it got away from its parents."""
        return sessions.members((), self.mark)

    def watchers(self) -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"gateway.supervisor.watcher\0{self.mark}".encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return found

    def pids(self, name: str) -> list[int]:
        """What the program `name` printed as `pid N`, in order."""
        return [int(found) for found in re.findall(rf"^{name} *\| pid (\d+)", self.text(), re.MULTILINE)]

    def ends(self, limit: float = 60.0) -> int:
        return self.process.wait(limit)

    def left(self) -> bool:
        return bool(self.running() or self.watchers())


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Standin]]:
    """Start a supervisor around programs `{name, command, …}`; ended by force after the test."""
    started: list[Standin] = []

    def start(*programs: dict[str, object], **popen: Any) -> Standin:
        mark = f"standin-{uuid.uuid4().hex}"
        log = tmp_path / f"{mark}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, str(STANDIN), mark, json.dumps(programs)],
                text=True,
                **{
                    "stdout": out,
                    "stderr": out,
                    "stdin": subprocess.DEVNULL,
                    "start_new_session": True,
                    **popen,
                },
            )
        started.append(Standin(process, mark, log))
        return started[-1]

    yield start
    for one in started:
        sessions.kill([one.process.pid, *one.running(), *one.watchers()])
        one.process.wait()


@pytest.fixture
def home() -> Iterator[Path]:
    """A data folder that every user may pass: pytest's own are closed to the user that root drops to."""
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-test-"))
    folder.chmod(0o755)
    yield folder / "home"
    shutil.rmtree(folder)


@pytest.fixture
def gatehouse(home: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command of the supervisor for `home` to its end, without the services that the tests have."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        ours = (
            "DATABASE_",
            "REDIS_",
            "GATEHOUSE_",
            "SECRET_KEY",
            "JWT_",
            "INTROSPECT_",
            "METRICS_",
            "BOOTSTRAP_",
        )
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return subprocess.run(
            [sys.executable, "-m", "gateway.supervisor", *arguments],
            env={**kept, "GATEHOUSE_HOME": str(home), **environment},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=100,
            check=False,
        )

    return run


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    os.kill(pid, number)
