"""Whether the platform can work: each component asked, with a time limit.

Without the database or the cache it cannot, and the answer is 503. Without background jobs it works on for a
while, so that is told and the answer stays 200.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

log = logging.getLogger(__name__)


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _cache() -> None:
    cache.get("health")


def _jobs() -> None:
    if cache.get(_HEARTBEAT) is None:
        raise OSError("no worker has done a job for a minute")


def beat() -> None:
    """Note that beat and a worker are at work; beat has a worker call this every few seconds."""
    cache.set(_HEARTBEAT, True, timeout=60)


STATUSES = ("ok", "degraded", "failing")
_HEARTBEAT = "health:jobs"
_COMPONENTS: dict[str, Callable[[], None]] = {"database": _database, "cache": _cache, "jobs": _jobs}
_NEEDED = ("database", "cache")


@dataclass(frozen=True, slots=True)
class Health:
    """`ok` or `failing` by component; `status` is `ok`, `degraded` or `failing`."""

    components: dict[str, str]

    @property
    def status(self) -> str:
        if any(self.components[name] != "ok" for name in _NEEDED):
            return "failing"
        return "ok" if set(self.components.values()) == {"ok"} else "degraded"

    @property
    def http_status(self) -> int:
        return 503 if self.status == "failing" else 200


def look() -> Health:
    """Ask every component; why one fails is in the log, not in the answer."""
    found = {}
    for name, ask in _COMPONENTS.items():
        try:
            ask()
            found[name] = "ok"
        except (DatabaseError, RedisError, OSError) as e:
            log.log(logging.WARNING if name in _NEEDED else logging.DEBUG, "%s is failing: %s", name, e)
            found[name] = "failing"
    return Health(found)


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """For probes, so open to all and without detail."""
    found = look()
    answer = {"status": found.status, "components": found.components}
    return JsonResponse(answer, status=found.http_status, headers={"Cache-Control": "no-store"})
