"""The log as a file that can be verified without the platform: entries beside the seals they are under.

Rows come seal by seal, then those that wait for one, a bounded number in memory at a time. A list of digests stands
with each seal of which an entry is exported, so that the entries of a filtered export can be verified as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from gateway import tables
from gateway.db.scope import tenant_scope
from gateway.errors import Invalid
from tenants.models import AuditEntry, AuditSeal, Tenant, UnsealedEntry
from tenants.principal import Principal

from . import chain, sealing
from .entries import record
from .filters import Filters

FORMATS = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
COLUMNS = (
    *("type", "seal", "id", "at", "actor_id", "actor", "credential", "ip", "request_id"),
    *("action", "target", "before", "after", "record"),
)
_TOGETHER = 1000
_SEALS = 500


def filename(form: str, tenant: Tenant) -> str:
    return f"audit-{tenant.slug}-{timezone.now():%Y%m%d-%H%M%S}.{form}"


def export(filters: Filters, form: str, *, actor: Principal) -> Iterator[bytes]:
    """The file's pieces, made as they are taken; taking them needs no scope and no transaction.

    That it was asked for is written to the log. Raises Forbidden, Invalid for an unknown form.
    """
    actor.require("audit.export")
    if form not in FORMATS:
        raise Invalid("format is jsonl or csv.", errors={"format": ["jsonl or csv."]})
    tenant = actor.tenant
    with tenant_scope(tenant.pk), transaction.atomic():
        head = sealing.newest_seal(tenant)
        after = {"format": form, "filters": filters.words(), "through_seal": head.number if head else 0}
        record(actor, "tenants.audit.export", target=tenant.slug, after=after)
    return _csv(tenant, filters) if form == "csv" else _lines(tenant, filters)


def _lines(tenant: Tenant, filters: Filters) -> Iterator[bytes]:
    for row in _rows(tenant, filters):
        yield chain.canonical(row) + b"\n"


def _csv(tenant: Tenant, filters: Filters) -> Iterator[bytes]:
    for text in tables.csv_text(COLUMNS, map(_cells, _rows(tenant, filters))):
        yield text.encode()


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    """A seal's row has all of it as JSON in `record`; an entry's has each field in its own column."""
    cells: dict[str, Any] = dict.fromkeys(COLUMNS)
    cells.update(type=row["type"], seal=row["seal"])
    if row["type"] == "seal":
        cells.update(at=row["sealed_at"], record=chain.canonical(row).decode())
        return cells
    cells.update({name: row[name] for name in COLUMNS[2:-1]})
    for name in ("before", "after"):
        cells[name] = json.dumps(row[name], ensure_ascii=False)
    return cells


def _rows(tenant: Tenant, filters: Filters) -> Iterator[dict[str, Any]]:
    with tenant_scope(tenant.pk):
        # In this order: what is sealed between the two is left out of neither.
        waiting = set(UnsealedEntry.objects.filter(tenant=tenant).values_list("pk", flat=True))
        head = sealing.newest_seal(tenant)
    number, last = 0, head.number if head else 0
    while number < last:
        with tenant_scope(tenant.pk):
            seals = _some_seals(tenant, number, last)
            sealed = {pk: seal.number for seal in seals for pk in seal.entry_ids}
            waiting -= sealed.keys()
            entries = filters.apply(_entries(tenant)).filter(pk__in=sealed)
            found: dict[int, dict[int, AuditEntry]] = {}
            for entry in entries:
                found.setdefault(sealed[entry.pk], {})[entry.pk] = entry
        for seal in seals:
            mine = found.get(seal.number, {})
            yield _seal_row(seal, with_digests=bool(mine))
            for pk in seal.entry_ids:
                if pk in mine:
                    yield _entry_row(mine[pk], seal.number)
        number = seals[-1].number
    yield from _waiting(tenant, filters, sorted(waiting))


def _some_seals(tenant: Tenant, after: int, last: int) -> list[AuditSeal]:
    """The seals after a number, of about as many entries as are held at a time, one at least."""
    rows = AuditSeal.objects.filter(tenant=tenant, number__gt=after, number__lte=last).order_by("number")
    through, entries = after, 0
    for number, count in rows.values_list("number", "count")[:_SEALS]:
        if entries and entries + count > _TOGETHER:
            break
        through, entries = number, entries + count
    seals = list(rows.filter(number__lte=through))
    for seal in seals:
        seal.tenant = tenant
    return seals


def _waiting(tenant: Tenant, filters: Filters, ids: list[int]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(ids), _TOGETHER):
        with tenant_scope(tenant.pk):
            chosen = filters.apply(_entries(tenant)).filter(pk__in=ids[start : start + _TOGETHER])
            entries = list(chosen.order_by("pk"))
        for entry in entries:
            yield _entry_row(entry, None)


def _entries(tenant: Tenant) -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(tenant=tenant)


def _entry_row(entry: AuditEntry, seal: int | None) -> dict[str, Any]:
    return {"type": "entry", "seal": seal, **chain.entry_record(entry)}


def _seal_row(seal: AuditSeal, *, with_digests: bool) -> dict[str, Any]:
    size = chain.DIGEST_SIZE
    row = {
        "type": "seal", "seal": seal.number, **chain.seal_record(seal),
        "hash": seal.hash, "mac": seal.mac, "mac_key": seal.mac_key,
    }  # fmt: skip
    if with_digests:
        digests = bytes(seal.digests)
        row["digests"] = [digests[i : i + size].hex() for i in range(0, len(digests), size)]
    return row
