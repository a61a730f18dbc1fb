"""Pages of the audit log."""

from __future__ import annotations

from typing import Any, cast, get_args
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from gateway.downloads import attachment
from gateway.ui import PageRequest, at, page, row_number, sheet, show
from tenants.models import AuditEntry
from tenants.principal import CredentialKind
from tenants.services.audit import export, filters, sealing, verification

PER_PAGE = 50
RARE = ("credential", "ip", "request_id", "since", "until")
"""Filters that fold away."""


@page("audit.read")
def audit(request: PageRequest) -> HttpResponse:
    """Who did what, newest first."""
    asked = {name: request.GET.get(name, "") for name in filters.NAMES}
    rows = filters.parse_form(request.GET).apply(AuditEntry.objects.visible_to(request.principal))
    if (before := row_number(request.GET.get("before", ""))) is not None:
        rows = rows.filter(pk__lt=before)
    entries = list(rows.order_by("-pk")[: PER_PAGE + 1])
    url = reverse("audit")
    context = {
        "entries": entries[:PER_PAGE],
        "newest": at(url, **asked) if before else "",
        "older": at(url, **asked, before=str(entries[PER_PAGE - 1].pk)) if len(entries) > PER_PAGE else "",
        "before": before,
        "query": urlencode({name: value for name, value in asked.items() if value}),
        "kinds": get_args(CredentialKind),
        "more": any(asked[name] for name in RARE),
        **asked,
        **_chain(request),
    }
    return show(request, "tenants/audit.html", context, part="tenants/_audit.html")


@page("audit.read")
def audit_entry(request: PageRequest, public_id: UUID) -> HttpResponse:
    entry = get_object_or_404(AuditEntry.objects.visible_to(request.principal), public_id=public_id)
    return sheet(request, "tenants/_audit_entry.html", {"entry": entry})


@page("audit.read", methods=("POST",))
def verify_audit(request: PageRequest) -> HttpResponse:
    """What a look at the chain found, beside the chain's state."""
    verdict = verification.look(actor=request.principal)
    context = {"verdict": verdict, **_chain(request)}
    return sheet(request, "tenants/_audit_chain.html", context)


@page("audit.export")
def export_audit(request: PageRequest) -> HttpResponse:
    form = request.GET.get("format", "csv")
    pieces = export.export(filters.parse_form(request.GET), form, actor=request.principal)
    sent = attachment(pieces, export.FORMATS[form], export.filename(form, request.principal.tenant))
    return cast(HttpResponse, sent)


def _chain(request: PageRequest) -> dict[str, Any]:
    tenant = request.principal.tenant
    return {"seal": sealing.newest_seal(tenant), "waiting": sealing.waiting(tenant)}
