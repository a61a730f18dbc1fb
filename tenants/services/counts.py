"""How many people, keys and tenants there are."""

from __future__ import annotations

from tenants.models import ApiKey, Mail, Membership, Quota, Tenant, UnsealedEntry, User


def of_tenant(tenant_id: int) -> dict[str, int]:
    """Of what is limited. Call within the tenant's scope."""
    return {
        "users": Membership.objects.filter(tenant=tenant_id, is_active=True).count(),
        "api_keys": ApiKey.objects.filter(tenant=tenant_id, revoked_at=None).count(),
    }


def limits(tenant_id: int) -> Quota:
    """The tenant's limits; an unset one is no limit."""
    return Quota.objects.filter(tenant=tenant_id).first() or Quota(tenant_id=tenant_id)


def of_platform() -> dict[str, int]:
    """Call within platform_scope."""
    return {
        "tenants": Tenant.objects.present().count(),
        "suspended": Tenant.objects.filter(status=Tenant.Status.SUSPENDED).count(),
        "users": User.objects.filter(is_active=True).count(),
        "api_keys": ApiKey.objects.filter(revoked_at=None).count(),
    }


def waiting() -> dict[str, int]:
    """What background jobs have yet to do. Call within platform_scope."""
    return {
        "mail": Mail.objects.filter(sent_at=None).exclude(next_attempt_at=None).count(),
        "audit_seals": UnsealedEntry.objects.count(),
    }
