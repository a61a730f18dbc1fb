"""The guard of this process, on the hub's database."""

from __future__ import annotations

from realtime import lifespan

from .guard import Guard

_guard: Guard | None = None


def guard() -> Guard:
    """Call it on the event loop."""
    global _guard
    if _guard is None:
        _guard = Guard(lifespan.hub().database)
    return _guard
