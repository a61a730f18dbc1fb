"""The virtual environment: built once, brought up to date when a lock file changes, else left alone."""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.supervisor import pythons
from gateway.supervisor.account import Account
from gateway.supervisor.child import die_with_parent
from gateway.supervisor.errors import Refusal
from gateway.supervisor.home import explain

STAMP = "gatehouse.json"
INCLUDES = {"base": ("base",), "test": ("base", "test"), "lint": ("base", "test", "lint")}
SYSTEM_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
LOCKED = ["--require-hashes", "--only-binary", ":all:"]
SAID_LINES = 15


@dataclass(frozen=True)
class Environment:
    """The virtual environment at `venv`, filled from the locks in `requirements`."""

    venv: Path
    requirements: Path
    say: Callable[[str], None]
    strict: bool = True  # only tests and checks, which run as whoever starts them, take any interpreter

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    def ensure(self, level: str, account: Account) -> None:
        """Have everything of `level` (base, test or lint) installed, by hash, for `account` to run."""
        if self._usable(account) and self._stamp().get(level) == self._digest(level):
            return
        try:
            self.venv.mkdir(exist_ok=True)
            with self._locked():
                self._fill(level, account)
        except OSError as error:
            raise Refusal(explain(error, self.venv).replace("data folder", "folder")) from error

    def _fill(self, level: str, account: Account) -> None:
        stamp, usable = self._stamp(), self._usable(account)
        if usable and stamp.get(level) == self._digest(level):  # another start was quicker
            return
        started = time.monotonic()
        if not usable:
            self._make(account, ours=bool(stamp) or not self.python.exists())
        uv = self._uv()
        self.say(f"installing requirements/{level}.txt (the first time takes up to a minute or two)")
        self._install(uv, self.requirements / f"{level}.txt", compiled=level == "base")
        stamp = {} if not usable else stamp
        stamp.update({name: self._digest(name) for name in INCLUDES[level]})
        (self.venv / STAMP).write_text(json.dumps(stamp))
        self.say(f"installed in {time.monotonic() - started:.0f} s")

    def _usable(self, account: Account) -> bool:
        return self.python.exists() and (account.may_enter(self.python) or not self.strict)

    def _make(self, account: Account, *, ours: bool) -> None:
        python = pythons.choose(account)
        if not ours:
            raise Refusal(
                f"{self.venv} stands on a Python that is closed to the user '{account.name}', which "
                f"everything runs as when root starts it: remove {self.venv} and start again"
            )
        self.say(f"making a virtual environment on {python.path} ({'.'.join(map(str, python.version))})")
        for old in self.venv.iterdir():
            if old.name != "install.lock":
                shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
        pip = [] if python.ensurepip else ["--without-pip"]
        self._run([str(python.path), "-m", "venv", *pip, str(self.venv)], "the virtual environment")

    def _uv(self) -> str | None:
        """The locked uv, or None where it cannot be had: pip then does its work, slowly."""
        uv = self.venv / "bin" / "uv"
        lock = self.requirements / "install.txt"
        mark = self.venv / "uv.digest"
        wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
        if uv.exists() and mark.exists() and mark.read_text() == wanted:
            return str(uv)
        if self._has_pip():
            self._pip(self.python, lock)
        elif shutil.which("uv"):
            return shutil.which("uv")
        else:
            python = pythons.choose_with_pip()
            self._pip(python, lock)
        if not uv.exists():
            return None
        mark.write_text(wanted)
        return str(uv)

    def _has_pip(self) -> bool:
        return any(self.venv.glob("lib/python3*/site-packages/pip/__init__.py"))

    def _pip(self, python: Path, lock: Path) -> None:
        target = [] if python == self.python else ["--python", str(self.python)]
        command = [str(python), "-m", "pip", *target, "install", "--quiet", "--no-input"]
        command += ["--disable-pip-version-check", *LOCKED, "--requirement", str(lock)]
        self._run(command, lock.name)

    def _install(self, uv: str | None, lock: Path, *, compiled: bool) -> None:
        """`compiled` for the platform, whose first start would pay for it; tests use a part of what they have."""
        if uv is None:
            self._pip(self.python, lock)
            return
        command = [uv, "pip", "install", "--python", str(self.python), "--no-progress"]
        if compiled:
            command.append("--compile-bytecode")
        home = Path(os.environ.get("HOME") or "/nonexistent")
        if not os.access(home, os.W_OK):
            command.append("--no-cache")
        if SYSTEM_AUTHORITIES.exists():  # a company's own among them, which uv's built-in list lacks
            command.append("--system-certs")
        self._run([*command, *LOCKED, "--requirement", str(lock)], lock.name)

    def _run(self, command: list[str], what: str) -> None:
        """Run an installer, telling its steps; its last lines and one line of ours when it fails."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {
            "UV_LINK_MODE": environment.get("UV_LINK_MODE", "copy"),
            "PIP_ROOT_USER_ACTION": "ignore",
        }
        said: list[str] = []
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
            preexec_fn=die_with_parent(signal.SIGTERM),
        ) as process:
            for line in process.stdout or ():
                said = [*said[-SAID_LINES:], line.rstrip()]
                if line.strip() and not line.startswith((" +", " -", " ~")):
                    self.say(line.rstrip())
        if process.returncode:
            text = "\n".join(said)
            if "No space left" in text:
                raise Refusal(f"the disk is full: free some space for {self.venv} and start again")
            if "ensurepip" in text:
                raise Refusal("Python lacks ensurepip: install it (Debian: apt-get install python3-venv)")
            raise Refusal(
                f"installing {what} failed, its last lines above say why: "
                "check the network and the package index that pip is set up with, and start again"
            )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.venv / "install.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _stamp(self) -> dict[str, str]:
        try:
            stamp = json.loads((self.venv / STAMP).read_text())
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def _digest(self, level: str) -> str:
        return hashlib.sha256((self.requirements / f"{level}.txt").read_bytes()).hexdigest()
