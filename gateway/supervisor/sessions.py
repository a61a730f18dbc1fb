"""Which processes belong to an instance, and ending them whatever they turned into.

Each started process leads a session of its own, so its descendants are found by session id; those that
left it (daemons) are found by the instance's mark in their environment. Linux only: elsewhere process
groups have to do.
"""

import contextlib
import os
import signal
from collections.abc import Collection
from pathlib import Path

MARK = "GATEHOUSE_INSTANCE"
PROC = Path("/proc")


def members(sessions: Collection[int], mark: str) -> list[int]:
    """Live processes of the given sessions or with the instance's mark, zombies and ourselves left out."""
    if not PROC.is_dir():
        return [leader for leader in sessions if _group_alive(leader)]
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError, IndexError, ValueError):
            # "pid (name) state ppid pgrp session …", where the name may hold spaces and brackets
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if fields[0] in "ZX":
                continue
            if int(fields[3]) in sessions or wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def kill(pids: Collection[int]) -> None:
    """SIGKILL; what is gone already is fine."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
            if not PROC.is_dir():
                os.killpg(pid, signal.SIGKILL)


def _group_alive(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except OSError:
        return False
    return True
