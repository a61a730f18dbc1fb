"""The event log, and its live streams, which are another process's (`test_streams.py`)."""

from __future__ import annotations

from gateway.db.scope import tenant_scope
from realtime.services import publish

from .table import VIEWER, api, page
from .world import World


def _event(world: World) -> object:
    with tenant_scope(world.home.pk):
        return publish(world.home.pk, "storage.object.created", subject="row")


MAKERS = {"event": _event}

ROWS = [
    api("GET", "events", VIEWER),
    api("POST", "realtime/tickets", VIEWER),
    page("GET", "/app/events", VIEWER),
    page("GET", "/app/events/{event}", VIEWER),
]

STREAMS = [
    api("GET", "realtime/events", VIEWER, needs="event.read"),
    api("GET", "realtime/ws", VIEWER, 101, needs="event.read"),
]
