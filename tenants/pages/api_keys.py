"""Pages of API keys."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import F
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from gateway.errors import DomainError
from gateway.ui import PageRequest, page, sheet, show
from tenants.forms.api_keys import ApiKeyForm
from tenants.models import ApiKey
from tenants.services import api_keys


def _keys(request: PageRequest) -> dict[str, Any]:
    rows = ApiKey.objects.visible_to(request.principal).select_related("user")
    if not request.principal.can("api_key.manage"):
        rows = rows.filter(user=request.principal.user)
    return {"keys": rows.order_by(F("revoked_at").desc(nulls_first=True), "-created_at")[:500]}


@page("api_key.write", "api_key.manage", methods=("GET", "HEAD", "POST"))
def keys(request: PageRequest) -> HttpResponse:
    """The caller's keys, all of the tenant's with api_key.manage. POST makes one and shows it, this once."""
    if request.method != "POST":
        return show(request, "tenants/api_keys.html", _keys(request), part="tenants/_api_keys.html")
    form = ApiKeyForm(request.POST, actor=request.principal)
    if form.is_valid():
        try:
            key, text = api_keys.issue_key(
                form.cleaned_data["name"],
                permissions=form.granted,
                expires_at=timezone.now() + form.valid_for if form.valid_for else None,
                actor=request.principal,
            )
        except DomainError as error:
            form.refuse(error)
        else:
            issued = {"key": key, "text": text, "url": request.build_absolute_uri("/api/v1/auth/me")}
            return sheet(request, "tenants/_api_key_issued.html", {"issued": issued}, changed="keys-changed")
    return sheet(request, "tenants/_api_key_form.html", {"form": form}, status=422)


@page("api_key.write")
def new_key(request: PageRequest) -> HttpResponse:
    return sheet(request, "tenants/_api_key_form.html", {"form": ApiKeyForm(actor=request.principal)})


@page("api_key.write", "api_key.manage", methods=("POST",))
def revoke_key(request: PageRequest, public_id: UUID) -> HttpResponse:
    key = get_object_or_404(ApiKey.objects.visible_to(request.principal), public_id=public_id)
    api_keys.revoke_key(key, actor=request.principal)
    return show(
        request,
        "tenants/api_keys.html",
        _keys(request),
        part="tenants/_api_keys.html",
        done=f"{key.name} is revoked.",
    )
