"""Asking all components side by side. An answer is kept for a moment, so that asking often costs nothing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from http.client import HTTPException

from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from .probes import COMPONENTS, LIMIT_SECONDS, NEEDED, Absent

log = logging.getLogger(__name__)
STATUSES = ("ok", "degraded", "failing")
_KEPT_SECONDS = 2.0
_STALE_SECONDS = 10.0
_EXPECTED = (DatabaseError, RedisError, OSError, HTTPException)


@dataclass(frozen=True, slots=True)
class Component:
    """`ok`, `failing` or `absent`; how long its answer took; a detail that strangers may read."""

    status: str
    latency_ms: float | None = None
    detail: str = ""

    def as_json(self) -> dict[str, object]:
        told = {"status": self.status, "latency_ms": self.latency_ms, "detail": self.detail}
        return {name: value for name, value in told.items() if value not in (None, "")}


@dataclass(frozen=True, slots=True)
class Health:
    """The components by name; `status` is `ok`, `degraded` (something not needed fails) or `failing`."""

    components: dict[str, Component]

    @property
    def status(self) -> str:
        failing = {name for name, found in self.components.items() if found.status == "failing"}
        return "failing" if failing.intersection(NEEDED) else "degraded" if failing else "ok"

    @property
    def http_status(self) -> int:
        return 503 if self.status == "failing" else 200

    def as_json(self) -> dict[str, object]:
        """What `/health` says. Counts of workspaces will stand beside the components, once there are workspaces."""
        components = {name: found.as_json() for name, found in self.components.items()}
        return {"status": self.status, "components": components}


class _Asker:
    """Asks one component on a thread of its own. While it does not answer it is not asked again."""

    def __init__(self, name: str, ask: Callable[[], None]) -> None:
        self._name = name
        self._ask = ask
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"health-{name}")
        self.answer: Future[Component] = Future()
        self.answer.set_result(Component("absent"))

    def start(self) -> None:
        if self.answer.done():
            self.answer = self._thread.submit(self._look)

    def found(self) -> Component:
        if self.answer.done():
            return self.answer.result()
        log.warning("%s does not answer", self._name)
        return Component("failing", detail="no answer")

    def _look(self) -> Component:
        began = time.perf_counter()
        try:
            self._ask()
        except Absent as absent:
            return Component("absent", detail=str(absent))
        except _EXPECTED as error:
            log.log(
                logging.WARNING if self._name in NEEDED else logging.DEBUG,
                "%s is failing: %s",
                self._name,
                error,
            )
            return Component("failing")
        except Exception:
            log.exception("%s cannot be asked", self._name)
            return Component("failing")
        return Component("ok", round((time.perf_counter() - began) * 1000, 1))


@dataclass
class _Looker:
    """The process's one. Whoever comes while it asks gets the answer before, unless that is stale."""

    askers: dict[str, _Asker] = field(
        default_factory=lambda: {name: _Asker(name, ask) for name, ask in COMPONENTS.items()}
    )
    _asking: threading.Lock = field(default_factory=threading.Lock)
    _last: Health | None = None
    _at: float = 0.0

    def look(self) -> Health:
        last, age = self._last, time.monotonic() - self._at
        if last is not None and age < _KEPT_SECONDS:
            return last
        if not self._asking.acquire(blocking=last is None or age > _STALE_SECONDS):
            assert last is not None
            return last
        try:
            if self._last is None or time.monotonic() - self._at >= _KEPT_SECONDS:
                self._last = self._ask_all()
                self._at = time.monotonic()
            return self._last
        finally:
            self._asking.release()

    def _ask_all(self) -> Health:
        for asker in self.askers.values():
            asker.start()
        wait_for([asker.answer for asker in self.askers.values()], timeout=LIMIT_SECONDS)
        return Health({name: asker.found() for name, asker in self.askers.items()})

    def forget(self) -> None:
        """Ask anew at the next look."""
        self._last = None


looker = _Looker()


def look() -> Health:
    """Every component, as of at most a few seconds ago; why one fails is in the log, not in the answer."""
    return looker.look()
