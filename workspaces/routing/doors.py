"""What deciders have Django do, on a thread of `gateway.decision.callers.Callers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.db.scope import tenant_scope
from gateway.queue import enqueue
from workspaces import tasks
from workspaces.models import Workspace
from workspaces.services import waking

if TYPE_CHECKING:
    from tenants.principal import Principal


def wake(workspace_id: int, caller: Principal) -> None:
    """Start a workspace that sleeps. Raises NotFound."""
    with tenant_scope(caller.tenant.pk):
        waking.wake(Workspace(pk=workspace_id), actor=caller)


def nudge(key: str) -> None:
    """Have the reconciler look at an instance that does not answer."""
    enqueue(tasks.reconcile_instance, key)
