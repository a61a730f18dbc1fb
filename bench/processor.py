"""Processor time of the platform's processes while something is asked of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from bench import load
from bench.load import Load
from bench.table import Row
from tests.instance import Instance

PROCESSES = ("decision", "caddy", "front")
_TICKS = os.sysconf("SC_CLK_TCK")


def per_request(instance: Instance, name: str, asked: Load) -> Iterator[Row]:
    """A row of microseconds per answered request for each of PROCESSES."""
    pids = {process: instance.pids(process) for process in PROCESSES}
    before = {process: _seconds(found) for process, found in pids.items()}
    answered = load.run(asked).rate * asked.seconds
    for process, found in pids.items():
        yield Row(
            f"  processor time, {process}: {name}", "µs", 1e6 * (_seconds(found) - before[process]) / answered
        )


def _seconds(pids: list[int]) -> float:
    return sum(_ticks(pid) for pid in pids) / _TICKS


def _ticks(pid: int) -> int:
    # "pid (name) state …": utime and stime are the 14th and 15th, and the name may hold spaces
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
