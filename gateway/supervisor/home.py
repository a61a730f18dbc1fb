"""The data folder of an instance: its layout, its lock, and what is remembered in it."""

import errno
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.supervisor import account as accounts
from gateway.supervisor.account import Account
from gateway.supervisor.errors import Refusal

MEMORY = "instance.json"
LOCK = "lock"
FOLDERS = ("run", "postgres", "valkey", "caddy", "blobs", "mail")


class Home:
    """An opened home: folders exist and belong to `account`; `memory` is what survives a restart.

    As root, the home stays root's and the folders inside belong to the account; that may add files of its own
    to the home (`ca.crt`), but the sticky bit keeps a broken-in process from swapping those root reads again.
    """

    def __init__(self, path: Path, say: Callable[[str], None] = lambda line: None) -> None:
        self.path = path
        self.memory: dict[str, Any] = recall(path)
        self.account = account_of(path, say)
        try:
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
            if not self.account.may_enter(path):
                raise Refusal(
                    f"the user '{self.account.name}', which everything runs as when root starts it, cannot enter "
                    f"{path}: put GATEHOUSE_HOME where every user may pass (for example /var/lib/gatehouse)"
                )
            if self.account.switch and path.stat().st_uid == 0:
                os.chown(path, 0, self.account.gid)
                path.chmod(0o1775)
            for name in FOLDERS:
                folder = path / name
                folder.mkdir(mode=0o700, exist_ok=True)
                if self.account.switch and folder.stat().st_uid != self.account.uid:
                    self.account.own(folder)
            self.remember(account=self.account.name)
        except OSError as error:
            raise Refusal(explain(error, path)) from error

    def remember(self, **facts: Any) -> None:
        """Write facts beside those already remembered (whole file or nothing, mode 0600)."""
        self.memory.update(facts)
        write_private(self.path / MEMORY, json.dumps(self.memory, indent=1) + "\n")

    def secret(self, name: str) -> str:
        """A password of an embedded service, made at first use."""
        kept = self.memory.setdefault("secrets", {})
        if name not in kept:
            kept[name] = secrets.token_urlsafe(24)
            self.remember()
        return str(kept[name])

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the home for this process; a second instance is refused with the first one's process id."""
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            handle = os.open(self.path / LOCK, flags, 0o644)
        except OSError as error:
            raise Refusal(explain(error, self.path)) from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(handle, 20).decode(errors="replace").strip() or "unknown"
                raise Refusal(
                    f"{self.path} is in use by a running instance (process {holder}): "
                    "stop it with `make down`, or set GATEHOUSE_HOME and the ports to start another one"
                ) from None
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            yield
            os.ftruncate(handle, 0)
        finally:
            os.close(handle)


def account_of(path: Path, say: Callable[[str], None] = lambda line: None) -> Account:
    """Who the processes of the home at `path` belong to, be it there yet or not."""
    owner = path.stat().st_uid if path.is_dir() else 0
    return accounts.choose(owner, recall(path).get("account"), say)


def recall(path: Path) -> dict[str, Any]:
    """What the home at `path` remembers; nothing for a new one."""
    try:
        recalled = json.loads((path / MEMORY).read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        recalled = None
    except OSError as error:
        raise Refusal(explain(error, path)) from error
    if not isinstance(recalled, dict):
        raise Refusal(f"{path / MEMORY} is damaged: restore it from a backup, or `make reset` to start empty")
    return recalled


def holder(path: Path) -> int | None:
    """Process id of the instance that holds the home at `path`, or None when none runs."""
    try:
        handle = os.open(path / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(handle, 20).decode(errors="replace").strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(handle)
    return None


def write_private(path: Path, text: str) -> None:
    """Replace a file that only its owner may read, at once or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.replace(fresh, path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def explain(error: OSError, path: Path) -> str:
    """An operating-system error about the home, as what to do."""
    advice = {
        errno.EROFS: "the file system is read-only: set GATEHOUSE_HOME to a folder that can be written",
        errno.EACCES: "no permission: set GATEHOUSE_HOME to a folder of your own, or fix its owner",
        errno.EPERM: "no permission: set GATEHOUSE_HOME to a folder of your own, or fix its owner",
        errno.ENOSPC: "the disk is full: free some space, or set GATEHOUSE_HOME to another disk",
        errno.EDQUOT: "the disk quota is used up: free some space, or set GATEHOUSE_HOME elsewhere",
        errno.ENOTDIR: "a part of the path is a file: set GATEHOUSE_HOME to a folder",
        errno.EEXIST: "there is a file of that name: set GATEHOUSE_HOME to a folder",
    }
    return f"cannot use the data folder {path}: {advice.get(error.errno or 0, error.strerror or str(error))}"
