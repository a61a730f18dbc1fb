"""Sealing what was written: batches of entries become links of a chain, one chain a tenant.

Who writes an entry never waits for the sealer, and the sealer never for a writer: it takes the rows of
`UnsealedEntry` that are committed, whatever their ids. One sealer works in a tenant at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.db import connection, transaction
from django.utils import timezone

from gateway.db.scope import platform_scope, tenant_scope
from realtime import services as realtime
from tenants.models import AuditEntry, AuditSeal, Tenant, UnsealedEntry

from . import chain

log = logging.getLogger(__name__)

BATCH = 1000
EVENT = "tenants.audit.sealed"
_LOCK = 7164  # first key of the advisory locks of chains; 7162 are the event logs', 7163 is the object rows'


def seal_all() -> int:
    """Seal what waits in all tenants; returns how many entries that were."""
    with platform_scope("which tenants have entries to seal is asked across tenants"):
        waiting = list(UnsealedEntry.objects.values_list("tenant_id", flat=True).distinct())
        tenants = list(Tenant.objects.filter(pk__in=waiting))
    return sum(seal_tenant(tenant) for tenant in tenants)


def seal_tenant(tenant: Tenant) -> int:
    """Seal a tenant's waiting entries, a transaction each batch; returns how many. Another sealer at work: 0."""
    total = 0
    with tenant_scope(tenant.pk):
        while True:
            with transaction.atomic():
                sealed = _seal_batch(tenant) if lock_chain(tenant) else 0
            total += sealed
            if sealed < BATCH:
                return total


def lock_chain(tenant: Tenant) -> bool:
    """Hold the tenant's chain to the end of the transaction; False where somebody else does. Never waits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_LOCK, tenant.pk])
        (held,) = cursor.fetchone()
    return bool(held)


def newest_seal(tenant: Tenant) -> AuditSeal | None:
    found = AuditSeal.objects.filter(tenant=tenant).defer("digests", "entry_ids").order_by("-number").first()
    if found is not None:
        found.tenant = tenant
    return found


def waiting(tenant: Tenant) -> int:
    """How many entries are not sealed yet."""
    return UnsealedEntry.objects.filter(tenant=tenant).count()


def append_seal(
    tenant: Tenant,
    entries: Sequence[AuditEntry],
    *,
    drained: bool,
    kept_from: int | None = None,
) -> AuditSeal:
    """Add a link to the chain, which the caller holds (`lock_chain`) and announces.

    `kept_from` is the first seal whose entries are kept from now on; unset, what it was.
    """
    head = newest_seal(tenant)
    digests = b"".join(chain.entry_digest(entry) for entry in entries)
    seal = AuditSeal(
        tenant=tenant,
        number=head.number + 1 if head else 1,
        first_entry=entries[0].pk if entries else None,
        last_entry=entries[-1].pk if entries else None,
        count=len(entries),
        entry_ids=[entry.pk for entry in entries],
        digests=digests,
        root=chain.root(digests),
        previous=head.hash if head else "",
        kept_from=kept_from or (head.kept_from if head else 1),
        drained=drained,
        sealed_at=timezone.now(),
    )
    chain.sign(seal)
    seal.save(force_insert=True)
    return seal


def announce(seal: AuditSeal) -> None:
    """Tell the chain's new head, as the last act of the transaction: in an event and in a line of the log.

    Whoever keeps either can tell a chain that was made anew, or cut short, behind it.
    """
    tenant = seal.tenant
    log.info("audit log of %s sealed: number %d, hash %s", tenant.slug, seal.number, seal.hash)
    if tenant.status == Tenant.Status.PURGED:
        return  # its events are gone, and nobody reads new ones
    realtime.publish(
        tenant.pk,
        EVENT,
        subject=tenant.slug,
        data={"number": seal.number, "hash": seal.hash, "count": seal.count, "kept_from": seal.kept_from},
    )


def _seal_batch(tenant: Tenant) -> int:
    found = _committed(tenant, BATCH + 1)
    batch = found[:BATCH]
    if not batch:
        return 0
    UnsealedEntry.objects.filter(pk__in=[entry.pk for entry in batch]).delete()
    announce(append_seal(tenant, batch, drained=len(found) <= BATCH))
    return len(batch)


def _committed(tenant: Tenant, most: int) -> list[AuditEntry]:
    """The first entries that wait. Those that are gone unsealed are passed by; the verification tells of them."""
    found: list[AuditEntry] = []
    after = 0
    while len(found) < most:
        rows = UnsealedEntry.objects.filter(tenant=tenant, pk__gt=after).order_by("pk")
        ids = list(rows.values_list("pk", flat=True)[: most - len(found)])
        if not ids:
            break
        found += AuditEntry.objects.filter(tenant=tenant, pk__in=ids).order_by("pk")
        after = ids[-1]
    return found
