"""How long entries are kept. Whole sealed batches are dropped; their seals stay, so the chain can be verified."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Conflict, Unavailable
from tenants.models import PLATFORM_SLUG, AuditSeal, Tenant, TenantSettings
from tenants.principal import Principal, system

from . import sealing
from .entries import record

SEALS_AT_A_TIME = 200


def days_kept(tenant: Tenant) -> int:
    """Days that the tenant's entries are kept, 0 for ever: its own setting, else the platform's."""
    own = TenantSettings.objects.filter(tenant=tenant).values_list("audit_retention_days", flat=True).first()
    return int(settings.AUDIT_RETENTION_DAYS if own is None else own)


def expire_all() -> int:
    """Drop in every tenant what is past its time; returns how many entries that were."""
    with platform_scope("how long each tenant keeps its entries is asked across tenants"):
        kept = [(tenant, days_kept(tenant)) for tenant in Tenant.objects.filter(audit_seals__number=1)]
    return sum(expire(tenant, days) for tenant, days in kept if days)


def expire(tenant: Tenant, days: int) -> int:
    """Drop the entries that were sealed more than `days` days ago; returns how many.

    Each step adds a seal that says from where entries are kept, and an entry that says what was dropped. The
    database refuses what is not sealed, or younger, or kept longer by the tenant's own setting.
    """
    total = 0
    with tenant_scope(tenant.pk):
        while True:
            with transaction.atomic():
                dropped = _expire_some(tenant, days) if sealing.lock_chain(tenant) else 0
            total += dropped
            if not dropped:
                return total


def _expire_some(tenant: Tenant, days: int) -> int:
    head = sealing.newest_seal(tenant)
    if head is None:
        return 0
    over = AuditSeal.objects.filter(
        tenant=tenant, number__gte=head.kept_from, sealed_at__lt=timezone.now() - timedelta(days=days)
    )
    batches = list(over.order_by("number").values_list("number", "count")[:SEALS_AT_A_TIME])
    entries = sum(count for _, count in batches)
    if not entries:
        return 0
    last = batches[-1][0]
    record(
        system(tenant), "tenants.audit.expire", target=tenant.slug,
        after={"through_seal": last, "entries": entries, "days": days},
    )  # fmt: skip
    seal = sealing.append_seal(tenant, [], drained=False, kept_from=last + 1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT drop_audit_batches(%s, %s)", [tenant.pk, days])
        (dropped,) = cursor.fetchone()
    sealing.announce(seal)
    return int(dropped)


def drop_log(tenant: Tenant, *, actor: Principal) -> int:
    """Drop the whole log of a deleted tenant with its seals; returns how many entries it had.

    To keep the log instead, call nothing: the tenant's row then stays too. What the chain's head was goes into the
    platform's own log. Raises Forbidden unless platform staff ask, Conflict while the tenant is not deleted,
    Unavailable while its chain is being written.
    """
    actor.require("platform.tenants")
    with platform_scope("a deleted tenant's log, and the platform's"), transaction.atomic():
        status = Tenant.objects.values_list("status", flat=True).get(pk=tenant.pk)
        if status in (Tenant.Status.ACTIVE, Tenant.Status.SUSPENDED) or tenant.slug == PLATFORM_SLUG:
            raise Conflict("The audit log of a tenant that is not deleted stays.")
        if not sealing.lock_chain(tenant):
            raise Unavailable("The audit log is being sealed just now; try again.")
        head = sealing.newest_seal(tenant)
        with connection.cursor() as cursor:
            cursor.execute("SELECT drop_audit_log(%s)", [tenant.pk])
            (dropped,) = cursor.fetchone()
        if dropped or head:
            record(
                actor, "tenants.audit.drop", target=tenant.slug,
                tenant=Tenant.objects.get(slug=PLATFORM_SLUG),
                before={"entries": dropped, "seal": head.number if head else 0, "head": head.hash if head else ""},
            )  # fmt: skip
    return int(dropped)
