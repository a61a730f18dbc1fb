"""The end of deleted instances, with their volumes and snapshots: once their retention is over, or forced."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from gateway.db.scope import platform_scope, tenant_scope
from tenants.models import Tenant
from tenants.principal import Principal, system
from tenants.services import audit
from workspaces.models import Instance

from . import instances, reconciler

FORSAKEN_AFTER = timedelta(days=30)
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
    """Everything of a purged tenant, now: a step of `tenants.services.purge`. What it waits for, empty: nothing.

    A provider that does not let go holds it up for FORSAKEN_AFTER; then what it holds is named in the audit log.
    """
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
            if left is None:
                continue
            if not _forsaken(tenant_id):
                return f"{key}: {left.error or 'busy'}"
            with tenant_scope(tenant_id), transaction.atomic():
                after = {"key": key, "provider": left.provider}
                audit.record(
                    system(left.tenant), "workspaces.instance.forsake", target=left.name, after=after
                )
                reconciler.forget(left)
    return ""


def _forsaken(tenant_id: int) -> bool:
    with platform_scope("a deleted tenant's own row"):
        purge_at = Tenant.objects.values_list("purge_at", flat=True).get(pk=tenant_id)
    return purge_at is not None and timezone.now() - purge_at > FORSAKEN_AFTER
