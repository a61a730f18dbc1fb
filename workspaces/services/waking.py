"""Waking what sleeps: called for requests, so it is quick, and may be called by many at once."""

from __future__ import annotations

from django.db import transaction

from gateway.errors import NotFound
from tenants.principal import Principal
from workspaces.models import Instance, Workspace

from . import instances

IDLE = Instance.StoppedFor.IDLE


def wake(workspace: Workspace, *, actor: Principal) -> Workspace:
    """Have a workspace run that idleness stopped; of `workspace` only the key counts. Anything else stays as it is.

    The caller may use it but need not own it. Raises Forbidden, NotFound where it is not within reach.
    """
    actor.require("workspace.use")
    found: Workspace | None = Workspace.objects.visible_to(actor).present().filter(pk=workspace.pk).first()
    if found is None:
        raise NotFound("No such workspace.", code="workspace_not_found")
    if not _sleeps(found):
        return found
    with transaction.atomic():
        row = instances.lock(found)
        if _sleeps(row):
            instances.ask(row, instances.RUNNING)
            instances.tell(row, "woken", actor=actor)
    return row


def _sleeps(row: Workspace) -> bool:
    """Whether idleness stopped it; a deactivated owner's stays as it is, also for who may reach everybody's."""
    if row.deleted_at is not None or row.is_hidden:
        return False
    return row.desired_state == instances.STOPPED and row.stopped_for == IDLE
