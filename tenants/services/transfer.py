"""Tenants in and out as a table: a platform's list, not what the tenants own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import transaction
from rest_framework import serializers

from gateway import tables
from gateway.api.fields import Text
from gateway.db.scope import platform_scope
from gateway.errors import DomainError
from gateway.tables import Row
from tenants.models import SLUG, Domain, Quota, Tenant
from tenants.principal import Principal

from .quotas import LIMITS
from .tenants import create_tenant
from .user_tables import Outcome

COLUMNS = ("name", "slug", "status", "domain", *LIMITS)
_STATUSES = [Tenant.Status.ACTIVE.value, Tenant.Status.SUSPENDED.value]


class _TenantRow(serializers.Serializer[Any]):
    """From a CSV numbers are texts, which these fields take. `domain` may hold several names, parted by spaces."""

    name = Text(max_length=200)
    slug = Text(max_length=63, validators=[SLUG])
    status = serializers.ChoiceField(_STATUSES, default=_STATUSES[0])
    domain = Text(default="", allow_blank=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        limits = {
            name: serializers.IntegerField(
                required=False,
                allow_null=True,
                min_value=0,
                max_value=(1 << 63 if name.endswith("_bytes") else 1 << 31) - 1,
            )
            for name in LIMITS
        }
        return {**super().get_fields(), **limits}


def import_tenants(rows: Sequence[Row], *, dry_run: bool, actor: Principal) -> list[Outcome]:
    """Make a tenant of each row, all or none; those that exist are refused. What became of each row.

    With `dry_run` all is tried, nothing is kept, and refused rows are told among the others. Raises Forbidden unless
    platform staff ask, Invalid (`rows_refused`) with all that is wrong by `<row>.<column>`.
    """
    actor.require("platform.tenants")
    refusals = tables.Refusals()
    outcomes = []
    with platform_scope("tenants that do not exist yet"), transaction.atomic():
        for row in rows:
            slug, errors = str(row.values.get("slug", "")), {}
            try:
                with transaction.atomic():
                    _make(tables.checked(row, _TenantRow), actor)
            except DomainError as error:
                refusals.add(row, _of_column(error))
                errors = error.errors or {"row": [error.detail]}
            outcomes.append(Outcome(row.number, slug, "refused" if errors else "created", errors))
        if dry_run:
            transaction.set_rollback(True)
        else:
            refusals.check()
    return outcomes


def _make(values: dict[str, Any], actor: Principal) -> Tenant:
    return create_tenant(
        values["name"],
        values["slug"],
        status=values["status"],
        hostnames=values["domain"].split(),
        limits={name: values[name] for name in LIMITS if name in values},
        actor=actor,
    )


def _of_column(error: DomainError) -> DomainError:
    """Host names stand in the column `domain`."""
    if "hostname" in error.errors:
        error.errors["domain"] = [error.detail]
        del error.errors["hostname"]
    return error


def export_tenants(*, actor: Principal) -> Iterator[dict[str, Any]]:
    """A row for each tenant that is not deleted, which `import_tenants` takes. Raises Forbidden."""
    actor.require("platform.tenants")
    with platform_scope("staff export all tenants"):
        domains: dict[int, list[str]] = {}
        for tenant_id, hostname in Domain.objects.routing().values_list("tenant_id", "hostname"):
            domains.setdefault(tenant_id, []).append(hostname)
        limits = {quota.tenant_id: quota for quota in Quota.objects.all()}
        rows = list(Tenant.objects.present())
    for tenant in rows:
        quota = limits.get(tenant.pk)
        yield {
            "name": tenant.name,
            "slug": tenant.slug,
            "status": tenant.status,
            "domain": " ".join(domains.get(tenant.pk, [])),
            **{name: getattr(quota, name, None) for name in LIMITS},
        }
