"""What the servers in workspaces say of themselves: their repository, and whether anybody uses them.

A workspace is active while a request is in flight, a stream to a declared port is open, or it uses more CPU than
WORKSPACE_IDLE_CPU_MILLIS. One that was not for its `idle_minutes` is stopped, and wakes at the next request.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from gateway.db.scope import platform_scope
from gateway.queue import after_commit
from workspaces import tasks
from workspaces.models import Instance, Sample, Workspace

from . import instances, probing

log = logging.getLogger(__name__)

_AT_ONCE = 16
_TURNS = 60
RUNNING = Instance.Observed.RUNNING


@dataclass(frozen=True, slots=True)
class Said:
    """What one server said, brought into bounds. `active_at`: when somebody last used it, if ever."""

    repository: str
    error: str
    is_busy: bool
    active_at: datetime | None


def sweep() -> None:
    """Look at all that run, and stop who is idle."""
    with platform_scope("a sweep looks at all tenants"):
        running = Workspace.objects.filter(observed_state=RUNNING).exclude(address="").order_by("pk")
        batch: list[Workspace] = []
        for workspace in running.iterator(chunk_size=200):
            batch.append(workspace)
            if len(batch) == 200:
                _look_at(batch)
                batch = []
        _look_at(batch)


def look(key: str, turn: int = 0) -> None:
    """Look at one that has just started, again and again while it clones."""
    with platform_scope("a job works for all tenants"):
        workspace = instances.find(key)
        if not isinstance(workspace, Workspace) or workspace.observed_state != RUNNING:
            return
        said = _ask(workspace.address)
        note(workspace, said)
        if turn < _TURNS and (said is None or said.repository == Workspace.Repository.CLONING):
            after_commit(_look_again, key, turn + 1)


def _look_again(key: str, turn: int) -> None:
    tasks.look_inside.apply_async((key, turn), countdown=min(0.5 * 1.3**turn, 10.0), retry=False)


def _look_at(batch: list[Workspace]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(_ask, [workspace.address for workspace in batch]))
    worked = _worked(workspace.key for workspace in batch)
    for workspace, said in zip(batch, found, strict=True):
        try:
            note(workspace, said, worked.get(workspace.key))
            _stop_if_idle(workspace, said)
        except Exception:  # of one: the others are looked at all the same
            log.exception("what %s says cannot be noted", workspace.key)


def _ask(address: str) -> Said | None:
    """None where there is no answer."""
    try:
        return understood(probing.status(address))
    except probing.NoAnswer:
        return None


def understood(said: dict[str, Any]) -> Said:
    """An answer of `/status`, whatever it holds: what makes no sense counts as not said."""
    repository, error = said.get("repository"), said.get("error")
    at, now = said.get("last_request_at"), timezone.now()
    active_at = None
    if isinstance(at, (int, float)) and 0 < at < 1e11:
        active_at = min(datetime.fromtimestamp(at, UTC), now)
    busy = any(_is_some(said.get(name)) for name in ("in_flight", "connections"))
    return Said(
        repository=str(repository) if repository in Workspace.Repository.values else "",
        error=error.replace("\0", "")[:500] if isinstance(error, str) else "",
        is_busy=busy,
        active_at=now if busy else active_at,
    )


def _is_some(count: object) -> bool:
    return isinstance(count, int) and count > 0


def note(workspace: Workspace, said: Said | None, worked_at: datetime | None = None) -> None:
    """Write what it said and when it last worked, where that is news; a repository's change is an event."""
    values: dict[str, Any] = {}
    active = [at for at in (worked_at, said and said.active_at, workspace.last_active_at) if at]
    if active and max(active) != workspace.last_active_at:
        values["last_active_at"] = max(active)
    if (
        said is not None
        and said.repository
        and (said.repository, said.error)
        != (
            workspace.repository_state,
            workspace.repository_error,
        )
    ):
        values |= {"repository_state": said.repository, "repository_error": said.error}
    if not values:
        return
    for name, value in values.items():
        setattr(workspace, name, value)
    with transaction.atomic():
        changed = Workspace.objects.filter(pk=workspace.pk).update(**values)
        if changed and "repository_state" in values:
            instances.tell(
                workspace,
                "updated",
                repository=workspace.repository_state,
                repository_error=workspace.repository_error,
            )


def _worked(keys: Iterable[str]) -> dict[str, datetime]:
    """When each last used more CPU than an idle one does."""
    lately = timezone.now() - timedelta(hours=1)
    rows = Sample.objects.filter(
        key__in=list(keys), at__gt=lately, cpu_millis__gte=settings.WORKSPACE_IDLE_CPU_MILLIS
    )
    return dict(rows.order_by("at").values_list("key", "at"))


def _stop_if_idle(workspace: Workspace, said: Said | None) -> None:
    if not workspace.idle_minutes or (said is not None and said.is_busy):
        return
    active_at = max(filter(None, (workspace.last_active_at, workspace.started_at)), default=None)
    if active_at is None or timezone.now() - active_at < timedelta(minutes=workspace.idle_minutes):
        return
    with transaction.atomic():
        row = instances.lock(workspace)
        # Woken, stopped or started anew since it was asked: that is another life.
        if row.generation != workspace.generation or not row.is_settled or row.idle_minutes == 0:
            return
        if instances.stop(row, Instance.StoppedFor.IDLE):
            log.info("%s is idle since %s", row.key, active_at)
            instances.tell(row, "requested", state="stopped", reason="idle")
