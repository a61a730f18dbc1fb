"""Deleting tenants: refused everywhere at once, brought back within the grace, or purged (`purge`) after it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from gateway.db.scope import platform_scope
from gateway.errors import Conflict, Invalid
from gateway.queue import enqueue
from realtime import services as realtime
from tenants import purge_steps, tasks
from tenants.models import PLATFORM_SLUG, Tenant
from tenants.principal import Principal

from . import audit, snapshot


def delete_tenant(tenant: Tenant, *, actor: Principal) -> Tenant:
    """Refuse and hide the tenant from now on, and purge it TENANT_PURGE_DAYS later. Again changes nothing.

    What it must be kept for longer (`purge_steps.kept`) puts the purge off, and stands in `purge_error`. Raises
    Forbidden, Conflict for the platform's own and a purged one.
    """
    actor.require("platform.tenants")
    kept = purge_steps.kept(tenant.pk)  # counts, so no row waits for it; the purge looks again
    with platform_scope("staff delete any tenant"), transaction.atomic():
        tenant = _locked(tenant)
        if tenant.slug == PLATFORM_SLUG:
            raise Conflict("The platform's own tenant cannot be deleted.", code="platform_tenant")
        if tenant.status == Tenant.Status.DELETED:
            return tenant
        now = timezone.now()
        before = tenant.status
        tenant.status, tenant.deleted_at = Tenant.Status.DELETED, now
        grace = now + timedelta(days=settings.TENANT_PURGE_DAYS)
        tenant.purge_at = max([grace, *(one.until for one in kept if one.until)])
        tenant.purge_error = _text(kept)
        _save(tenant, "delete", before, actor)
    return tenant


def restore_tenant(tenant: Tenant, *, actor: Principal) -> Tenant:
    """Bring a deleted tenant back as it was, suspended or active.

    Raises Forbidden, Conflict for one that is not deleted, or whose purge is due: it may have begun.
    """
    actor.require("platform.tenants")
    with platform_scope("staff restore any tenant"), transaction.atomic():
        tenant = _locked(tenant)
        if tenant.status != Tenant.Status.DELETED:
            raise Conflict("The tenant is not deleted.", code="tenant_not_deleted")
        if tenant.purge_at is not None and tenant.purge_at <= timezone.now():
            raise Conflict("The tenant is being purged.", code="tenant_purging")
        tenant.status = Tenant.Status.SUSPENDED if tenant.suspended_at else Tenant.Status.ACTIVE
        tenant.deleted_at, tenant.purge_at, tenant.purge_error = None, None, ""
        _save(tenant, "restore", Tenant.Status.DELETED, actor)
    return tenant


def purge_now(tenant: Tenant, slug: str, *, actor: Principal) -> Tenant:
    """End a deleted tenant's grace; the purge begins after the commit. `slug` shows that this tenant is meant.

    Raises Forbidden, Invalid, Conflict for one that is not deleted, or must be kept (`tenant_kept`).
    """
    actor.require("platform.tenants")
    if slug != tenant.slug:
        raise Invalid("That is not the tenant's slug.", errors={"slug": ["Not this tenant's."]})
    with platform_scope("staff purge any tenant"), transaction.atomic():
        tenant = _locked(tenant)
        if tenant.status != Tenant.Status.DELETED:
            raise Conflict("Only a deleted tenant is purged.", code="tenant_not_deleted")
        if kept := purge_steps.kept(tenant.pk):
            raise Conflict(_text(kept), code="tenant_kept")
        now = timezone.now()
        if tenant.purge_at is None or tenant.purge_at > now:
            tenant.purge_at = now
            tenant.save(update_fields=["purge_at"])
            audit.record(actor, "tenants.tenant.purge_now", target=tenant.slug, tenant=tenant)
        enqueue(tasks.purge_tenant, tenant.pk)
    return tenant


def _locked(tenant: Tenant) -> Tenant:
    found = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    if found.status == Tenant.Status.PURGED:
        raise Conflict("The tenant is purged.", code="tenant_deleted")
    return found


def _text(kept: Sequence[purge_steps.Kept]) -> str:
    return " ".join(one.text for one in kept)[:500]


def _save(tenant: Tenant, verb: str, before: str, actor: Principal) -> None:
    from workspaces import tasks as instance_tasks  # workspaces build on tenants

    tenant.save(update_fields=["status", "deleted_at", "purge_at", "purge_error"])
    data: dict[str, object] = {"status": tenant.status}
    if tenant.purge_at is not None:
        data["purge_at"] = tenant.purge_at.isoformat()
    if tenant.purge_error:
        data["kept_for"] = tenant.purge_error
    audit.record(
        actor,
        f"tenants.tenant.{verb}",
        target=tenant.slug,
        tenant=tenant,
        before={"status": before},
        after=data,
    )
    snapshot.changed("tenants")
    enqueue(instance_tasks.follow_tenant, tenant.pk)
    realtime.publish(tenant.pk, f"tenants.tenant.{verb}d", subject=tenant.slug, data=data, actor=actor)
