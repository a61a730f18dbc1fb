"""How a tenant is run: what its administrators may decide, and what the platform's staff decide for it."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings as platform
from django.db import transaction

from gateway.db.scope import platform_scope
from gateway.errors import Conflict, Forbidden, Invalid
from gateway.validation import validated
from realtime import services as realtime
from tenants import features
from tenants.models import Tenant, TenantSettings
from tenants.principal import Principal

from . import audit, snapshot

BY_ADMINS = ("require_second_factor", "audit_retention_days")
BY_STAFF = ("disabled_features", "allowed_backends", "allowed_regions", "api_rate", "auth_rate", "s3_rate")
FIELDS = (*BY_ADMINS, *BY_STAFF)
MOST_RATE = 1_000_000
LEAST_RETENTION_DAYS, MOST_RETENTION_DAYS = 30, 3650
_REGION = re.compile(r"[A-Za-z0-9-]{1,63}")


def of_tenant(tenant: Tenant) -> TenantSettings:
    """The tenant's row. Raises Conflict for a purged one."""
    with platform_scope("staff see any tenant's; the door checked who asks"):
        found: TenantSettings | None = TenantSettings.objects.filter(tenant=tenant).first()
    if found is None:
        raise Conflict("The tenant is purged.", code="tenant_deleted")
    return found


def change(tenant: Tenant, changes: dict[str, Any], *, actor: Principal) -> TenantSettings:
    """Change some of FIELDS; asking again changes nothing.

    Administrators keep the audit log at least as long as the platform does, where that is not for ever.
    `disabled_features` names what is off (`tenants.features`). `allowed_backends` and `allowed_regions` bind new
    buckets; None is no restriction. Rates are requests a minute; None follows the platform, 0 is no limit. Raises
    Forbidden (staff's fields), Invalid by field, Conflict for a deleted tenant.
    """
    actor.require("tenant.write")
    if not actor.is_staff and (beyond := sorted(set(changes) & set(BY_STAFF))):
        raise Forbidden(f"Only platform staff change {beyond[0]}.", code="permission_missing")
    if unknown := sorted(set(changes) - set(FIELDS)):
        raise Invalid(f"There is no setting {unknown[0]}.", errors={unknown[0]: ["Unknown."]})
    changes = _checked(tenant, changes)
    least = platform.AUDIT_RETENTION_DAYS
    if not actor.is_staff and (changes.get("audit_retention_days") or least) < least:
        raise Invalid(
            f"The platform keeps the audit log for {least} days at least.",
            errors={"audit_retention_days": [f"At least {least} days."]},
        )
    with platform_scope("staff change any tenant's; the verb checked who asks"), transaction.atomic():
        row: TenantSettings = (
            TenantSettings.objects.select_for_update().select_related("tenant").get(tenant=tenant)
        )
        if row.tenant.status not in (Tenant.Status.ACTIVE, Tenant.Status.SUSPENDED):
            raise Conflict("The tenant is deleted.", code="tenant_deleted")
        changed = {name: value for name, value in changes.items() if getattr(row, name) != value}
        if not changed:
            return row
        before = {name: getattr(row, name) for name in changed}
        for name, value in changed.items():
            setattr(row, name, value)
        validated(row, exclude=("tenant",))
        row.save(update_fields=list(changed))
        audit.record(
            actor, "tenants.settings.update", target=tenant.slug, tenant=tenant, before=before, after=changed
        )
        snapshot.changed("tenants")
        realtime.publish(
            tenant.pk, "tenants.settings.updated", subject=tenant.slug, data={"changed": sorted(changed)},
            actor=actor,
        )  # fmt: skip
    return row


def _checked(tenant: Tenant, changes: dict[str, Any]) -> dict[str, Any]:
    """The changes with lists in order and without doubles. Raises Invalid."""
    found = dict(changes)
    for name in ("disabled_features", "allowed_backends", "allowed_regions"):
        if found.get(name) is not None:
            found[name] = sorted(set(found[name]))
    for name in found.get("disabled_features") or ():
        if name not in features.FEATURES:
            known = ", ".join(features.FEATURES)
            raise Invalid(
                f"There is no feature {name}.",
                errors={"disabled_features": [f"Unknown: {name}. Known: {known}."]},
            )
    if found.get("disabled_features") is None:
        found.pop("disabled_features", None)
    if names := found.get("allowed_backends"):
        _check_backends(tenant, names)
    for name in found.get("allowed_regions") or ():
        if not _REGION.fullmatch(name):
            raise Invalid(f"{name!r} is no region.", errors={"allowed_regions": [f"Not a region: {name}."]})
    for name in ("api_rate", "auth_rate", "s3_rate"):
        if (rate := found.get(name)) is not None and not 0 <= rate <= MOST_RATE:
            raise Invalid(f"{name} is not from 0 to {MOST_RATE}.", errors={name: [f"From 0 to {MOST_RATE}."]})
    days = found.get("audit_retention_days")
    if days is not None and not LEAST_RETENTION_DAYS <= days <= MOST_RETENTION_DAYS:
        text = f"From {LEAST_RETENTION_DAYS} to {MOST_RETENTION_DAYS} days."
        raise Invalid(f"audit_retention_days: {text}", errors={"audit_retention_days": [text]})
    return found


def _check_backends(tenant: Tenant, names: list[str]) -> None:
    from storage.services import backend_choice

    within_reach = backend_choice.names_within_reach(tenant.pk)
    for name in names:
        if name not in within_reach:
            raise Invalid(
                f"There is no backend {name} within the tenant's reach.",
                errors={"allowed_backends": [f"Unknown: {name}."]},
            )
