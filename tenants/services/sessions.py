"""What a token means, and where a person may act."""

from __future__ import annotations

from gateway.db.scope import platform_scope
from tenants.models import Membership, Tenant, User


def tenants_of(user: User) -> list[Membership]:
    """The active tenants that a user is an active member of."""
    with platform_scope("which tenants a user is in is asked across tenants"):
        rows = Membership.objects.select_related("tenant", "role").filter(user=user, is_active=True)
        return list(rows.filter(tenant__status=Tenant.Status.ACTIVE).order_by("tenant__slug"))
