"""Pages of the audit log."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.dateparse import parse_date

from gateway.ui import PageRequest, page, row_number, sheet, show
from tenants.models import AuditEntry

PER_PAGE = 50


def _audit(request: PageRequest) -> QuerySet[AuditEntry]:
    rows = AuditEntry.objects.visible_to(request.principal)
    for field, lookup in (
        ("actor", "actor"),
        ("action", "action__startswith"),
        ("target", "target__startswith"),
    ):
        if value := request.GET.get(field, "").replace("\0", "")[:300]:
            rows = rows.filter(**{lookup: value})
    for field, lookup in (("since", "at__date__gte"), ("until", "at__date__lte")):
        if day := _day(request.GET.get(field, "")):
            rows = rows.filter(**{lookup: day})
    if (before := row_number(request.GET.get("before", ""))) is not None:
        rows = rows.filter(pk__lt=before)
    return rows.order_by("-pk")


def _day(text: str) -> Any:
    try:
        return parse_date(text)
    except ValueError:
        return None


@page("audit.read")
def audit(request: PageRequest) -> HttpResponse:
    """Who did what, newest first."""
    rows = list(_audit(request)[: PER_PAGE + 1])
    asked = {
        name: request.GET.get(name, "") for name in ("actor", "action", "target", "since", "until", "before")
    }
    context = {
        "entries": rows[:PER_PAGE],
        "older": rows[PER_PAGE - 1].pk if len(rows) > PER_PAGE else None,
        "query": urlencode({k: v for k, v in asked.items() if v and k != "before"}),
        **asked,
    }
    return show(request, "tenants/audit.html", context, part="tenants/_audit.html")


@page("audit.read")
def audit_entry(request: PageRequest, public_id: UUID) -> HttpResponse:
    entry = get_object_or_404(AuditEntry.objects.visible_to(request.principal), public_id=public_id)
    return sheet(request, "tenants/_audit_entry.html", {"entry": entry})
