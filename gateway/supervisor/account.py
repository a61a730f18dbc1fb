"""The unprivileged user that everything runs as when the supervisor itself was started by root."""

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.supervisor.errors import Refusal

SYSTEM_USER = "gatehouse"


@dataclass(frozen=True)
class Account:
    """Who started processes belong to; `switch` is False when that is whoever started us."""

    name: str
    uid: int
    gid: int
    switch: bool

    def own(self, path: Path) -> None:
        """Give a file or folder to the account (nothing to do without a switch)."""
        if self.switch:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def may_enter(self, path: Path) -> bool:
        """Whether the account can reach `path` and read it, judged by the mode bits on the way to it."""
        if not self.switch:
            return os.access(path, os.R_OK)
        here = path.resolve()
        return all(self._has(parent, 0o1) for parent in here.parents) and self._has(
            here, 0o5 if here.is_dir() else 0o4
        )

    def _has(self, path: Path, bits: int) -> bool:
        try:
            info = path.stat()
        except OSError:
            return False
        shift = 6 if info.st_uid == self.uid else 3 if info.st_gid == self.gid else 0
        return (stat.S_IMODE(info.st_mode) >> shift) & bits == bits

    def popen_arguments(self, groups: Sequence[int] = ()) -> dict[str, object]:
        """Arguments that make subprocess start a command as this account, in `groups` beside its own.

        Without a switch the command has the groups of whoever started us.
        """
        if not self.switch:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": list(groups)}


def choose(
    owner: int = 0, remembered: str | None = None, say: Callable[[str], None] = lambda line: None
) -> Account:
    """The caller's own account; for root the home's owner if that is another, else a system user.

    That is the remembered one, `gatehouse` (made when it is missing) or `nobody`.
    """
    if os.geteuid() != 0:
        return Account(_name(os.geteuid()), os.geteuid(), os.getegid(), switch=False)
    if owner != 0:
        return Account(_name(owner), owner, _group(owner), switch=True)
    for name in filter(None, (remembered, SYSTEM_USER)):
        found = _look_up(name)
        if found is not None:
            return found
    if shutil.which("useradd"):
        say(f"making the system user '{SYSTEM_USER}' that the platform runs as")
        subprocess.run(
            ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
            + ["--home-dir", "/nonexistent", SYSTEM_USER],
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    for name in (SYSTEM_USER, "nobody"):
        found = _look_up(name)
        if found is not None:
            return found
    raise Refusal("started as root, but there is no user to drop to: run `useradd --system gatehouse`")


def _look_up(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return None if entry.pw_uid == 0 else Account(name, entry.pw_uid, entry.pw_gid, switch=True)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container may run under a number that has no name
        return str(uid)


def _group(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid
