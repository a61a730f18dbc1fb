"""How much runs."""

from __future__ import annotations

from django.db.models import Count, Q

from workspaces.models import Service, Template, Workspace

from . import instances


def of_tenant(tenant_id: int) -> dict[str, int]:
    """Of what is limited: deleted ones do not count. Call within the tenant's scope."""
    return {
        "workspaces": Workspace.objects.filter(tenant_id=tenant_id).present().count(),
        "services": Service.objects.filter(tenant_id=tenant_id).present().count(),
    }


def of_platform() -> dict[str, int]:
    """Call within platform_scope."""
    runs, failed = Q(observed_state="running"), Q(observed_state="failed")
    found: dict[str, int] = {"templates": Template.objects.count()}
    for model in instances.KINDS.values():
        rows = model._default_manager.filter(deleted_at=None)
        counted = rows.aggregate(all=Count("pk"), running=Count("pk", runs), failed=Count("pk", failed))
        plural = f"{model._meta.model_name}s"
        found |= {
            plural: counted["all"],
            f"running_{plural}": counted["running"],
            f"failed_{plural}": counted["failed"],
        }
    return found


def waiting() -> dict[str, int]:
    """What the reconciler has yet to bring about. Call within platform_scope."""
    drifted = (model._default_manager.drifted().count() for model in instances.KINDS.values())  # type: ignore[attr-defined]
    return {"instances": sum(drifted)}


def states() -> dict[tuple[str, str], int]:
    """By kind and observed state, those that are not deleted. Call within platform_scope."""
    found: dict[tuple[str, str], int] = {}
    for model in instances.KINDS.values():
        rows = model._default_manager.filter(deleted_at=None).order_by("observed_state")
        for state, count in rows.values_list("observed_state").annotate(Count("pk")):
            found[str(model._meta.model_name), state] = count
    return found
