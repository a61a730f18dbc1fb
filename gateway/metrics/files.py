"""One file per process, renewed every few seconds, and the sum over all of them."""

from __future__ import annotations

import atexit
import fcntl
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from gateway.logs import PROCESS

from .series import REGISTRY

log = logging.getLogger(__name__)
_EVERY_SECONDS = 5.0
_FORGOTTEN_SECONDS = 24 * 3600.0
_keeper: tuple[int, threading.Thread] | None = None


def folder() -> Path:
    return Path(settings.HOME) / "run" / "metrics"


def keep() -> None:
    """Have a thread leave this process's figures in its file. Call it in each process that serves, after any fork.

    A process without a name of its own (`manage.py`, tests) is not one of the platform's and leaves nothing.
    """
    global _keeper
    if PROCESS == "manage" or (_keeper is not None and _keeper[0] == os.getpid()):
        return
    try:
        folder().mkdir(mode=0o700, exist_ok=True)
        lock = (folder() / f"{_own_name()}.lock").open("w")
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        log.warning("this process's figures are not kept: %s", error)
        return
    _forget_old()
    # The lock lives as long as the process, and tells the others that its gauges count.
    thread = threading.Thread(target=_keep, args=(lock,), name="metrics", daemon=True)
    _keeper = os.getpid(), thread
    thread.start()
    atexit.register(_write)


def _own_name() -> str:
    return f"{PROCESS}-{socket.gethostname()}-{os.getpid()}"


def _keep(lock: Any) -> None:
    while not lock.closed:
        _write()
        time.sleep(_EVERY_SECONDS)


def _write() -> None:
    path = folder() / f"{_own_name()}.json"
    draft = path.with_suffix(".new")
    try:
        draft.write_text(json.dumps({"process": PROCESS, "series": _plain(REGISTRY.collect())}))
        draft.replace(path)
    except OSError as error:
        log.debug("this process's figures are not kept: %s", error)


def _plain(metrics: Iterable[Metric]) -> list[Any]:
    return [
        [each.name, each.documentation, each.type, [[s.name, s.labels, s.value] for s in each.samples]]
        for each in metrics
    ]


def _forget_old() -> None:
    """Files of processes that ended long ago. Until then their counts go on to count: sums shall not fall."""
    for path in folder().glob("*.json"):
        if time.time() - path.stat().st_mtime > _FORGOTTEN_SECONDS and not _lives(path):
            path.unlink(missing_ok=True)
            path.with_suffix(".lock").unlink(missing_ok=True)


def _lives(path: Path) -> bool:
    """Whether the process whose file it is runs, in whichever container: it holds a lock until it ends."""
    try:
        with path.with_suffix(".lock").open("r+") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


class AllProcesses(Collector):
    """The figures of every process of the home: counts added up by kind of process, gauges of those that run."""

    def collect(self) -> Iterator[Metric]:
        sums: dict[str, Metric] = {}
        values: dict[tuple[str, str, tuple[tuple[str, str], ...]], float] = {}
        for process, series, lives in self._sources():
            for name, text, kind, samples in series:
                if kind == "gauge" and not lives:
                    continue
                sums.setdefault(name, Metric(name, text, kind))
                for sample, labels, value in samples:
                    if sample.endswith("_created"):
                        continue
                    key = name, sample, tuple({"process": process, **labels}.items())
                    values[key] = values.get(key, 0.0) + value
        for (name, sample, labels), value in values.items():
            sums[name].add_sample(sample, dict(labels), value)
        yield from sums.values()

    def _sources(self) -> Iterator[tuple[str, list[Any], bool]]:
        yield PROCESS, _plain(REGISTRY.collect()), True
        own = f"{_own_name()}.json"  # never opened: closing a lock of ours would give it up
        for path in folder().glob("*.json"):
            if path.name == own:
                continue
            try:
                told = json.loads(path.read_text())
            except (OSError, ValueError):
                continue
            yield told["process"], told["series"], _lives(path)
