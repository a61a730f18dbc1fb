"""Whether the platform can work: each component asked, with a time limit."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from redis.exceptions import RedisError

log = logging.getLogger(__name__)


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _cache() -> None:
    cache.get("health")


COMPONENTS: dict[str, Callable[[], None]] = {"database": _database, "cache": _cache}


def components() -> dict[str, str]:
    """`ok` or `failing` by component; why is in the log, not in the answer."""
    found = {}
    for name, ask in COMPONENTS.items():
        try:
            ask()
            found[name] = "ok"
        except (DatabaseError, RedisError, OSError) as e:
            log.error("%s is failing: %s", name, e)
            found[name] = "failing"
    return found


def health(request: HttpRequest) -> HttpResponse:
    """200 when all components work, else 503; for probes, so open to all and without detail."""
    found = components()
    ready = all(state == "ok" for state in found.values())
    answer = {"status": "ok" if ready else "failing", "components": found}
    return JsonResponse(answer, status=200 if ready else 503, headers={"Cache-Control": "no-store"})
