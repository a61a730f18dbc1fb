"""Events when a component changes state: `system.component.changed`, in the platform's own tenant.

The process `beat`, of which there is one, looks; a job would not run while the broker or all workers are away. What it
sees while the database is away waits in memory. What was last told stands in a table, so that a restart repeats no
event, and finds what changed meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from datetime import datetime

from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.utils import timezone

from gateway.db.scope import platform_scope
from gateway.models import ComponentState
from realtime import services as realtime
from tenants.models import PLATFORM_SLUG, Tenant

from .looking import look

log = logging.getLogger(__name__)
_EVERY_SECONDS = 5.0
_STARTING_SECONDS = 45.0
"""While the platform starts, what is not there yet has not failed."""
_MOST_PENDING = 1000


class Watch:
    """`round` looks once. A state counts when two looks in a row agree, so one slow answer is no event."""

    def __init__(self, starting: float = _STARTING_SECONDS) -> None:
        self._lenient_until = time.monotonic() + starting
        self._seen: dict[str, tuple[str, datetime]] = {}
        self._told: dict[str, str] = {}
        self._pending: deque[tuple[str, str, datetime]] = deque(maxlen=_MOST_PENDING)

    def round(self) -> None:
        for name, found in look().components.items():
            self._see(name, found.status)
        while self._pending:
            try:
                record(*self._pending[0])
            except (DatabaseError, Tenant.DoesNotExist) as error:
                log.warning("changes of components wait to be written: %s", error)
                return
            self._pending.popleft()

    def _see(self, name: str, status: str) -> None:
        seen, since = self._seen.get(name, ("", timezone.now()))
        if seen != status:
            self._seen[name] = status, timezone.now()
            return
        if status == "failing" and time.monotonic() < self._lenient_until:
            return
        if self._told.get(name) != status:
            self._told[name] = status
            self._pending.append((name, status, since))


def record(name: str, status: str, since: datetime) -> None:
    """Write a component's state and, where it is another than the last, the event. Again changes nothing."""
    with platform_scope("components are the platform's"), transaction.atomic():
        row, made = ComponentState.objects.select_for_update().get_or_create(
            name=name, defaults={"status": status, "since": since}
        )
        before = row.status
        if made or before == status:
            return
        row.status, row.since = status, since
        row.save(update_fields=["status", "since"])
        realtime.publish(
            Tenant.objects.only("pk").get(slug=PLATFORM_SLUG).pk,
            "system.component.changed",
            subject=name,
            data={"component": name, "from": before, "to": status, "since": since.isoformat()},
        )
    log.warning("%s is %s, was %s", name, status, before)


def start() -> None:
    """Watch on a thread of this process until it ends."""
    threading.Thread(target=_watch, name="watch", daemon=True).start()


def _watch() -> None:
    watch = Watch()
    while True:
        try:
            watch.round()
        except Exception:
            log.exception("the components could not be looked at")
        finally:
            connection.close()
        time.sleep(_EVERY_SECONDS)
