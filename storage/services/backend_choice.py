"""Which backends a tenant may use: those within its reach, and the one that a new bucket lies on."""

from __future__ import annotations

from django.db.models import Q

from gateway.db.scope import platform_scope
from gateway.errors import Forbidden, Invalid
from storage.models import Backend
from tenants.principal import Principal
from tenants.services import settings


def for_new_bucket(name: str | None, *, actor: Principal) -> Backend:
    """The backend that a bucket asks for by name, else the tenant's default, else the platform's.

    Raises Invalid for a name that is not within reach, Forbidden (`backend_not_allowed`) where the tenant's settings
    leave it or its region out, our own store's among them; a backend without a region is in none that is allowed. They
    bind new buckets, and what lies elsewhere already stays in use.
    """
    chosen = _choose(name, actor)
    allowed = settings.of_tenant(actor.tenant)
    if allowed.allowed_backends is not None and chosen.name not in allowed.allowed_backends:
        raise Forbidden(f"The tenant may not use the backend {chosen.name}.", code="backend_not_allowed")
    if allowed.allowed_regions is not None and chosen.region not in allowed.allowed_regions:
        where = chosen.region or "no region"
        raise Forbidden(
            f"The tenant may not use {where}, where {chosen.name} is.", code="backend_not_allowed"
        )
    return chosen


def names_within_reach(tenant_id: int) -> set[str]:
    """The names of a tenant's own and the shared backends."""
    with platform_scope("settings are checked before they are anybody's"):
        rows = Backend.objects.filter(Q(tenant_id=tenant_id) | Q(tenant__isnull=True))
        return set(rows.values_list("name", flat=True))


def _choose(name: str | None, actor: Principal) -> Backend:
    within_reach = Backend.objects.visible_to(actor)
    if name:
        # A tenant's own backend hides a shared one of the same name.
        found = within_reach.filter(name=name).order_by("tenant_id").first()
        if found is None:
            raise Invalid(f"There is no backend {name}.", errors={"backend": ["Unknown."]})
        return found
    found = (
        within_reach.filter(is_default=True).order_by("tenant_id").first()
    )  # NULL, the platform's, comes last
    if found is None:
        raise Invalid("There is no default backend: name one.", errors={"backend": ["There is no default."]})
    return found
