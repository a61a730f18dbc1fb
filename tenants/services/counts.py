"""How many of what is limited a tenant has. Call within the tenant's scope."""

from __future__ import annotations

from tenants.models import ApiKey, Membership, Quota


def of_tenant(tenant_id: int) -> dict[str, int]:
    return {
        "users": Membership.objects.filter(tenant=tenant_id, is_active=True).count(),
        "api_keys": ApiKey.objects.filter(tenant=tenant_id, revoked_at=None).count(),
    }


def limits(tenant_id: int) -> Quota:
    """The tenant's limits; an unset one is no limit."""
    return Quota.objects.filter(tenant=tenant_id).first() or Quota(tenant_id=tenant_id)
