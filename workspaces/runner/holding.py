"""Holding what runs to its memory, and to its place behind the platform."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from workspaces.runner import usage
from workspaces.runner.journal import Journal
from workspaces.runner.sandbox import Sandbox
from workspaces.runner.usage import Process

_HURRY_SECONDS = 20.0
"""A server starts at the platform's own priority, since somebody waits for it; then it gives way."""
_NICE = 5


def hold(sandbox: Sandbox, journal: Journal, table: dict[int, list[Process]]) -> None:
    """Look at one sandbox, by the `table` of processes; of more memory than its limit the largest process ends."""
    found = list(usage.below(table, sandbox.pid))
    if time.monotonic() - sandbox.started_at > _HURRY_SECONDS:
        usage.give_way(found, _NICE)
    limit = sandbox.spec.limits.memory_bytes
    largest = usage.to_end(found, limit)
    if largest is None:
        return
    said = f"gatehouse: the memory limit of {limit >> 20} MiB is reached; the largest process is ended\n"
    journal.write(said.encode())
    sandbox.excuse(f"It took more memory than its limit of {limit >> 20} MiB.")
    with contextlib.suppress(ProcessLookupError):
        os.kill(largest.pid, signal.SIGKILL)
