"""Which tenants a signed-in person may act in, and choosing one for the session."""

from __future__ import annotations

from django.contrib.sessions.backends.base import SessionBase

from gateway.db.scope import platform_scope
from gateway.errors import NotFound
from tenants.models import Tenant
from tenants.principal import Principal

from . import sessions

MOST = 500


def choices(actor: Principal) -> list[Tenant]:
    """The active tenants of the person, for platform staff all; at most MOST."""
    if actor.user is None:
        return []
    if not actor.is_staff:
        return [membership.tenant for membership in sessions.tenants_of(actor.user)]
    with platform_scope("staff act in any tenant"):
        return list(Tenant.objects.filter(status=Tenant.Status.ACTIVE)[:MOST])


def switch(session: SessionBase, slug: str, *, actor: Principal) -> Tenant:
    """Act in another tenant from the next request on. Raises NotFound for one that is not the person's."""
    with platform_scope("the tenant is not yet the one acted in"):
        tenant = Tenant.objects.filter(slug=slug, status=Tenant.Status.ACTIVE).first()
    if tenant is None or not (actor.is_staff or tenant in choices(actor)):
        raise NotFound("No such tenant.", code="tenant_not_found")
    session["tenant"] = tenant.slug
    return tenant
