"""Tenants and their domains."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Conflict, Forbidden, NotFound
from gateway.validation import validated
from realtime import services as realtime
from tenants.models import PLATFORM_SLUG, Domain, Quota, Role, Tenant, TenantSettings
from tenants.permissions import BUILTIN_ROLES
from tenants.principal import Principal

from . import audit, quotas, snapshot


def create_tenant(name: str, slug: str, *, actor: Principal | None) -> Tenant:
    """A tenant with its built-in roles and no limits. `actor` is None at first start only.

    Raises Forbidden unless platform staff ask, Invalid, Conflict where the slug is taken.
    """
    if actor is not None:
        actor.require("platform.tenants")
    tenant = Tenant(name=name, slug=slug)
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
        snapshot.changed("tenants")
        realtime.publish(tenant.pk, "tenants.tenant.created", subject=slug, data={"name": name}, actor=actor)
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
    """Rename (tenant.write), suspend, activate or limit (platform staff). Asking again changes nothing."""
    actor.require("tenant.write")
    if (status is not None or limits) and not actor.is_staff:
        raise Forbidden("Only platform staff change a tenant's status and limits.", code="permission_missing")
    with platform_scope("staff change any tenant; the verb checked who asks"), transaction.atomic():
        # no_key: or whoever writes a row of the tenant (an object, an event) waits, holding what this needs next.
        tenant = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
        wanted = {
            k: v for k, v in (("name", name), ("status", status)) if v is not None and getattr(tenant, k) != v
        }
        if wanted.get("status") == Tenant.Status.SUSPENDED and tenant.slug == PLATFORM_SLUG:
            raise Conflict("The platform's own tenant cannot be suspended.")
        if limits:
            quotas.set_limits(tenant, limits, actor=actor)
        if wanted:
            before = {k: getattr(tenant, k) for k in wanted}
            for field, value in wanted.items():
                setattr(tenant, field, value)
            validated(tenant)
            tenant.save(update_fields=list(wanted))
            audit.record(
                actor, "tenants.tenant.update", target=tenant.slug, tenant=tenant, before=before, after=wanted
            )
            snapshot.changed("tenants")
        if wanted or limits:
            realtime.publish(
                tenant.pk, "tenants.tenant.updated", subject=tenant.slug, data={**wanted}, actor=actor
            )
    return tenant


def add_domain(tenant: Tenant, hostname: str, *, actor: Principal) -> Domain:
    """Let requests for a host name act in the tenant. Platform staff only, until ownership can be proven.

    Raises Forbidden, Invalid, Conflict where any tenant has the name.
    """
    actor.require("platform.tenants")
    domain = Domain(tenant=tenant, hostname=hostname.lower().rstrip("."))
    validated(domain, exclude=("tenant",))
    with tenant_scope(tenant.pk), transaction.atomic():
        try:
            with transaction.atomic():
                domain.save()
        except IntegrityError:
            raise Conflict(f"{domain.hostname} is taken.", errors={"hostname": ["Taken."]}) from None
        audit.record(
            actor,
            "tenants.domain.create",
            target=domain.hostname,
            tenant=tenant,
            after={"hostname": domain.hostname},
        )
        snapshot.changed("tenants")
        realtime.publish(tenant.pk, "tenants.domain.created", subject=domain.hostname, actor=actor)
    return domain


def remove_domain(domain: Domain, *, actor: Principal) -> None:
    actor.require("tenant.write")
    with tenant_scope(domain.tenant_id), transaction.atomic():
        if not Domain.objects.filter(pk=domain.pk).delete()[0]:
            return
        audit.record(actor, "tenants.domain.delete", target=domain.hostname, tenant=domain.tenant)
        snapshot.changed("tenants")
        realtime.publish(domain.tenant_id, "tenants.domain.deleted", subject=domain.hostname, actor=actor)
