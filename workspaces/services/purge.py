"""The end of deleted instances, with their volumes and snapshots: once their retention is over, or forced."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from gateway.db.scope import platform_scope, tenant_scope
from tenants.principal import Principal, system
from tenants.services import audit
from workspaces.models import Instance

from . import instances, reconciler

_BATCH = 200


def sweep() -> None:
    """Purge what is due."""
    with platform_scope("a sweep looks at all tenants"):
        for model in instances.KINDS.values():
            due = model._default_manager.filter(purge_at__lte=timezone.now())
            for instance in due.exclude(desired_state=instances.ABSENT).select_related("tenant")[:_BATCH]:
                with transaction.atomic():
                    row = instances.lock(instance)
                    if row.purge_at is not None and row.purge_at <= timezone.now():
                        end(row, actor=system(row.tenant))


def end(instance: Instance, *, actor: Principal) -> None:
    """Wish a locked, deleted one gone for good. Call within the transaction."""
    if instance.desired_state == instances.ABSENT:
        return
    instance.purge_at = timezone.now()
    audit.record(
        actor, f"workspaces.{instances.noun(instance)}.purge", target=instance.name, tenant=instance.tenant
    )
    instances.ask(instance, instances.ABSENT, save=["purge_at"])


def purge_tenant(tenant_id: int) -> str:
    """Everything of a purged tenant, now: a step of `tenants.services.purge`. What it waits for, empty: nothing."""
    with tenant_scope(tenant_id):
        for model in instances.KINDS.values():
            for instance in model._default_manager.filter(tenant_id=tenant_id).select_related("tenant"):
                with transaction.atomic():
                    row = instances.lock(instance)
                    row.deleted_at = row.deleted_at or timezone.now()
                    instances.ask(row, instances.ABSENT, save=["deleted_at"])
    for model in instances.KINDS.values():
        with tenant_scope(tenant_id):
            keys = [row.key for row in model._default_manager.filter(tenant_id=tenant_id)]
        for key in keys:
            left = reconciler.reconcile(key)
            if left is not None:
                return f"{key}: {left.error or 'busy'}"
    return ""
