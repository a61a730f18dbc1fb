"""Choosing the Python that the virtual environment is built on."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.supervisor.account import Account
from gateway.supervisor.errors import Refusal

PROBE = """
import importlib.util, json, os, sys
has = lambda name: importlib.util.find_spec(name) is not None
parts = [has(name) for name in ("venv", "ensurepip", "pip")]
print(json.dumps([sys.version_info[:3], os.path.realpath(sys.executable), *parts]))
"""


@dataclass(frozen=True)
class Python:
    """An interpreter that is new enough, and what of its library is installed (Debian splits it)."""

    path: Path
    version: tuple[int, ...]
    ensurepip: bool
    pip: bool


def choose(account: Account) -> Python:
    """The Python we run on, or for an account that cannot enter it (a root's own build) the system's.

    Raises Refusal with what to install when there is none.
    """
    closed: list[Path] = []
    bare: list[Path] = []
    for candidate in _candidates():
        path, version, venv, ensurepip, pip = _probe(candidate)
        if path is None or version < (3, 11):
            continue
        if not account.may_enter(path):
            closed.append(path)
        elif not venv:
            bare.append(path)
        else:
            return Python(path, version, ensurepip, pip)
    if bare:
        raise Refusal(f"{bare[0]} has no `venv` module: install it (Debian: apt-get install python3-venv)")
    raise Refusal(
        f"Python {closed[0] if closed else ''} is closed to the user '{account.name}', which everything runs "
        "as when root starts it: install one for all users (Debian: apt-get install python3 python3-venv), "
        "or start as an ordinary user"
    )


def choose_with_pip() -> Path:
    """Any Python with pip, to install into a virtual environment that was made without (pip --python)."""
    for candidate in _candidates():
        path, version, _, _, pip = _probe(candidate)
        if path is not None and pip and version >= (3, 11):
            return Path(candidate)
    raise Refusal("Python lacks ensurepip and pip: install them (Debian: apt-get install python3-venv)")


def _candidates() -> Iterator[str]:
    yield sys.executable
    for name in ("python3", "python3.14", "python3.13", "python3.12", "python3.11"):
        for folder in ("/usr/local/bin", "/usr/bin", None):
            found = shutil.which(name, path=folder)
            if found:
                yield found


def _probe(candidate: str) -> tuple[Path | None, tuple[int, ...], bool, bool, bool]:
    """(real path, version, venv?, ensurepip?, pip?); no path when it does not run."""
    try:
        said = subprocess.run(
            [candidate, "-I", "-c", PROBE], capture_output=True, text=True, timeout=20, check=True
        ).stdout
        version, path, venv, ensurepip, pip = json.loads(said)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None, (), False, False, False
    return Path(path), tuple(version), venv, ensurepip, pip
