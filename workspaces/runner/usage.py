"""What sandboxes use, as the kernel's table of processes tells it."""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """`cpu` in ticks, that of its ended children among it; `resident` in bytes; `since` tells two of one id apart.

    `group` is that of its process group.
    """

    pid: int
    parent: int
    group: int
    nice: int
    cpu: int
    threads: int
    resident: int
    since: int


def processes() -> dict[int, list[Process]]:
    """Every process of the machine, by its parent."""
    found: dict[int, list[Process]] = defaultdict(list)
    for name in os.listdir(_PROC):  # noqa: PTH208  a Path for each would take as long as the rest
        if name.isdigit() and (process := read(int(name))) is not None:
            found[process.parent].append(process)
    return found


def read(pid: int) -> Process | None:
    """One process, None where it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  as above
            # "pid (name) state ppid …", where the name may hold spaces and brackets
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if fields[0] in b"ZX":
        return None
    cpu = sum(map(int, fields[11:15]))
    parent, group, nice, threads, since, pages = (int(fields[n]) for n in (1, 2, 16, 17, 19, 21))
    return Process(pid, parent, group, nice, cpu, threads, pages * _PAGE, since)


def below(table: dict[int, list[Process]], pid: int) -> Iterator[Process]:
    """All that descend from a process."""
    waiting = [pid]
    while waiting:
        for process in table.get(waiting.pop(), ()):
            yield process
            waiting.append(process.pid)


def seconds(found: list[Process]) -> float:
    return sum(process.cpu for process in found) / _TICK


def memory(found: list[Process]) -> int:
    """Bytes, what is shared between them counted once (proc(5), smaps_rollup: Pss)."""
    return sum(map(_proportional, found))


def to_end(found: list[Process], limit: int) -> Process | None:
    """The process to kill where all together take more than `limit` bytes: the largest but for the first one.

    The first one's end is everybody's. None also where that process has ended meanwhile.
    """
    # The quick sum counts what is shared for each: only above the limit does it have to be looked at closely.
    if len(found) < 2 or sum(process.resident for process in found) <= limit or memory(found) <= limit:
        return None
    largest = max(found[1:], key=_proportional)
    now = read(largest.pid)
    return largest if now is not None and now.since == largest.since else None


def give_way(found: list[Process], nice: int) -> None:
    """Lower the priority of processes, all their threads; what they start later inherits it."""
    for group in {process.group for process in found if process.nice < nice} - {0}:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PGRP, group, nice)


def _proportional(process: Process) -> int:
    try:
        with open(f"/proc/{process.pid}/smaps_rollup", "rb") as file:  # noqa: PTH123
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return process.resident
