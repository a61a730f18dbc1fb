"""A tenant's limits on what is counted."""

from __future__ import annotations

from typing import Any, Literal

from django.db import models

from gateway.errors import Conflict, Invalid, QuotaExceeded
from gateway.validation import validated
from tenants.models import Quota, Tenant
from tenants.principal import Principal

from . import audit, snapshot

Limited = Literal[
    "buckets", "access_keys", "users", "api_keys", "workspaces", "workspaces_per_user", "services", "devices"
]
LIMITS = (
    "storage_bytes",
    "users",
    "api_keys",
    "buckets",
    "access_keys",
    "workspaces",
    "workspaces_per_user",
    "services",
    "instance_memory_bytes",
    "instance_cpu_millis",
    "devices",
)
GB = 1 << 30


def lock(tenant_id: int) -> Quota:
    """The tenant's limits, held to the end of the transaction so that what counts against them cannot race."""
    quota: Quota = Quota.objects.select_for_update().get(tenant_id=tenant_id)
    return quota


def check(tenant_id: int, limit: Limited, existing: models.QuerySet[models.Model]) -> None:
    """Refuse one more where `existing` fill the limit. Call within the transaction that adds.

    Raises QuotaExceeded, Conflict for a deleted tenant, which takes nothing in.
    """
    quota = (
        Quota.objects.select_for_update(of=("self",))
        .select_related("tenant")
        .filter(tenant=tenant_id)
        .first()
    )
    if quota is None or quota.tenant.status in (Tenant.Status.DELETED, Tenant.Status.PURGED):
        raise Conflict("The tenant is deleted.", code="tenant_deleted")
    most = getattr(quota, limit)
    if most is not None and existing.count() >= most:
        raise QuotaExceeded(f"The tenant's limit of {most} {limit.replace('_', ' ')} is reached.")


def wanted(limits: dict[str, Any] | None, max_storage_gb: float | None) -> dict[str, int | None]:
    """Limits as a door takes them: `max_storage_gb` (of 1,024³ bytes) is another way to say `storage_bytes`.

    Raises Invalid where both are said.
    """
    found = dict(limits or {})
    if max_storage_gb is not None:
        if found.get("storage_bytes") is not None:
            raise Invalid(
                "Give storage_bytes or max_storage_gb, not both.", errors={"max_storage_gb": ["Said twice."]}
            )
        found["storage_bytes"] = round(max_storage_gb * GB)
    return found


def set_limits(tenant: Tenant, limits: dict[str, int | None], *, actor: Principal) -> dict[str, int | None]:
    """Change some limits; None lifts one. One below what is used stops more and takes nothing away.

    Answers those that were otherwise before. Call within a transaction. Raises Invalid.
    """
    if unknown := sorted(set(limits) - set(LIMITS)):
        raise Invalid(f"There is no limit {unknown[0]}.", errors={unknown[0]: ["Unknown."]})
    try:
        quota = lock(tenant.pk)
    except Quota.DoesNotExist:
        raise Conflict("The tenant is purged.", code="tenant_deleted") from None
    changes = {name: value for name, value in limits.items() if getattr(quota, name) != value}
    if not changes:
        return changes
    before = {name: getattr(quota, name) for name in changes}
    for name, value in changes.items():
        setattr(quota, name, value)
    validated(quota, exclude=("tenant",))
    quota.save(update_fields=list(changes))
    audit.record(
        actor, "tenants.quota.update", target=tenant.slug, tenant=tenant, before=before, after=changes
    )
    snapshot.changed("tenants")
    return changes
