"""Tenants: made, found, changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from gateway.db.scope import platform_scope
from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.queue import enqueue
from gateway.validation import validated
from realtime import services as realtime
from tenants.models import PLATFORM_SLUG, Quota, Role, Tenant, TenantSettings
from tenants.permissions import BUILTIN_ROLES
from tenants.principal import Principal

from . import audit, domains, quotas, settings, snapshot


def create_tenant(
    name: str,
    slug: str,
    *,
    status: str = Tenant.Status.ACTIVE,
    hostnames: Sequence[str] = (),
    limits: dict[str, int | None] | None = None,
    tenant_settings: dict[str, Any] | None = None,
    actor: Principal | None,
) -> Tenant:
    """A tenant with its built-in roles; with `hostnames`, which staff vouch for, limits and settings, all or nothing.

    `actor` is None at first start only. Raises Forbidden unless platform staff ask, Invalid, Conflict where the slug
    or a host name is taken.
    """
    if actor is not None:
        actor.require("platform.tenants")
    _check_status(status)
    tenant = Tenant(name=name, slug=slug, status=status)
    if status == Tenant.Status.SUSPENDED:
        tenant.suspended_at = timezone.now()
    validated(tenant)
    with platform_scope("a tenant that does not exist yet"), transaction.atomic():
        try:
            with transaction.atomic():
                tenant.save()
        except IntegrityError:
            raise Conflict(f"A tenant {slug} exists already.", errors={"slug": ["Taken."]}) from None
        Role.objects.bulk_create(
            Role(tenant=tenant, slug=role, name=role.capitalize(), base=role, is_builtin=True)
            for role in BUILTIN_ROLES
        )
        Quota.objects.create(tenant=tenant)
        TenantSettings.objects.create(tenant=tenant)
        if actor is not None:
            audit.record(
                actor, "tenants.tenant.create", target=slug, tenant=tenant, after={"name": name, "slug": slug}
            )
            quotas.set_limits(tenant, limits or {}, actor=actor)
        snapshot.changed("tenants")
        realtime.publish(tenant.pk, "tenants.tenant.created", subject=slug, data={"name": name}, actor=actor)
        if actor is not None:
            settings.change(tenant, tenant_settings or {}, actor=actor)
            for hostname in hostnames:
                domains.add_domain(tenant, hostname, actor=actor)
    return tenant


def get_tenant(public_id: Any, *, actor: Principal) -> Tenant:
    """The tenant, as far as the caller may know of it: their own, or any for platform staff. Raises NotFound."""
    with platform_scope("staff look across tenants; visible_to narrows everybody else"):
        tenant = Tenant.objects.visible_to(actor).filter(public_id=public_id).first()
    if tenant is None:
        raise NotFound("No such tenant.")
    return tenant


def update_tenant(
    tenant: Tenant, *, name: str | None = None, status: str | None = None, limits: dict[str, int | None] | None = None,
    actor: Principal,
) -> Tenant:  # fmt: skip
    """Rename (tenant.write), suspend, activate or limit (platform staff). Asking again changes nothing.

    Raises Forbidden, Invalid, Conflict for a deleted tenant, and for suspending the platform's own.
    """
    from workspaces import tasks as instance_tasks  # workspaces build on tenants

    actor.require("tenant.write")
    if (status is not None or limits) and not actor.is_staff:
        raise Forbidden("Only platform staff change a tenant's status and limits.", code="permission_missing")
    if status is not None:
        _check_status(status)
    with platform_scope("staff change any tenant; the verb checked who asks"), transaction.atomic():
        # no_key: or whoever writes a row of the tenant (an object, an event) waits, holding what this needs next.
        tenant = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
        if tenant.status not in (Tenant.Status.ACTIVE, Tenant.Status.SUSPENDED):
            raise Conflict("The tenant is deleted.", code="tenant_deleted")
        wanted: dict[str, Any] = {
            k: v for k, v in (("name", name), ("status", status)) if v is not None and getattr(tenant, k) != v
        }
        if wanted.get("status") == Tenant.Status.SUSPENDED and tenant.slug == PLATFORM_SLUG:
            raise Conflict("The platform's own tenant cannot be suspended.", code="platform_tenant")
        limited = quotas.set_limits(tenant, limits, actor=actor) if limits else {}
        if wanted:
            before = {k: getattr(tenant, k) for k in wanted}
            for field, value in wanted.items():
                setattr(tenant, field, value)
            if "status" in wanted:
                tenant.suspended_at = timezone.now() if status == Tenant.Status.SUSPENDED else None
            validated(tenant)
            tenant.save(update_fields=[*wanted, "suspended_at"])
            audit.record(
                actor, "tenants.tenant.update", target=tenant.slug, tenant=tenant, before=before, after=wanted
            )
            snapshot.changed("tenants")
            if "status" in wanted:
                enqueue(instance_tasks.follow_tenant, tenant.pk)
        if wanted or limited:
            data: dict[str, object] = {**wanted, **({"limits": limited} if limited else {})}
            realtime.publish(tenant.pk, "tenants.tenant.updated", subject=tenant.slug, data=data, actor=actor)
    return tenant


def _check_status(status: str) -> None:
    if status not in (Tenant.Status.ACTIVE, Tenant.Status.SUSPENDED):
        raise Invalid(
            f"A tenant's status cannot be set to {status}.", errors={"status": ["Only active or suspended."]}
        )
