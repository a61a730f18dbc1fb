"""A tenant's limits on what is counted in rows."""

from __future__ import annotations

from typing import Literal

from django.db import models

from gateway.errors import QuotaExceeded
from gateway.validation import validated
from tenants.models import Quota, Tenant
from tenants.principal import Principal

from . import audit, snapshot

Limited = Literal["buckets", "access_keys", "users", "api_keys"]
LIMITS = ("storage_bytes", "buckets", "access_keys", "users", "api_keys")


def lock(tenant_id: int) -> Quota:
    """The tenant's limits, held to the end of the transaction so that what counts against them cannot race."""
    quota: Quota = Quota.objects.select_for_update().get(tenant_id=tenant_id)
    return quota


def check(tenant_id: int, limit: Limited, existing: models.QuerySet[models.Model]) -> None:
    """Refuse one more where `existing` fill the limit. Raises QuotaExceeded. Call within the transaction that adds."""
    most = getattr(lock(tenant_id), limit)
    if most is not None and existing.count() >= most:
        raise QuotaExceeded(f"The tenant's limit of {most} {limit.replace('_', ' ')} is reached.")


def set_limits(tenant: Tenant, limits: dict[str, int | None], *, actor: Principal) -> Quota:
    """Change some limits; None lifts one. Call within a transaction."""
    quota = lock(tenant.pk)
    before = {name: getattr(quota, name) for name in limits}
    for name, value in limits.items():
        setattr(quota, name, value)
    validated(quota, exclude=("tenant",))
    quota.save(update_fields=list(limits))
    audit.record(
        actor, "tenants.quota.update", target=tenant.slug, tenant=tenant, before=before, after=dict(limits)
    )
    snapshot.changed("tenants")
    return quota
