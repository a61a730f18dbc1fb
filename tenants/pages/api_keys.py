"""Pages of API keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import F
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from gateway.errors import DomainError
from gateway.ui import PageRequest, page, sheet, show
from tenants.forms.api_keys import ApiKeyForm, ChangeApiKeyForm, RotateForm
from tenants.models import ApiKey, Membership
from tenants.services import api_keys

CHANGED = "keys-changed"


def _keys(request: PageRequest) -> dict[str, Any]:
    rows = api_keys.visible(request.principal)
    return {"keys": _acted_on(rows.order_by(F("revoked_at").desc(nulls_first=True), "-created_at"), request)}


def _acted_on(rows: Any, request: PageRequest) -> list[ApiKey]:
    """The keys with what the caller may do to each."""
    shown = list(rows[:500])
    for key in shown:
        key.changes = key.is_live and api_keys.may_touch(key, request.principal)
        key.rotates = key.is_live and api_keys.may_rotate(key, request.principal)
    return shown


def _show_keys(request: PageRequest, done: str = "", closes: str = "") -> HttpResponse:
    part = "tenants/_api_keys.html"
    return show(request, "tenants/api_keys.html", _keys(request), part=part, done=done, closes=closes)


def issue(request: PageRequest, owner: Membership | None = None) -> HttpResponse:
    """Make a key by the form that was sent and show it, this once; or show the form, for now or with its errors."""
    at = (
        reverse("api-keys") if owner is None else reverse("service-account-keys", args=[owner.user.public_id])
    )
    sent = request.method == "POST"
    form = ApiKeyForm(request.POST if sent else None, actor=request.principal)
    if sent and form.is_valid():
        try:
            key, text = api_keys.issue_key(
                form.cleaned_data["name"],
                permissions=form.granted,
                expires_at=timezone.now() + form.valid_for if form.valid_for else None,
                allowed_networks=form.cleaned_data["allowed_networks"],
                owner=owner,
                actor=request.principal,
            )
        except DomainError as error:
            form.refuse(error)
        else:
            return _issued(request, key, text)
    context = {"form": form, "action": at, "owner": owner}
    return sheet(request, "tenants/_api_key_form.html", context, status=422 if sent else 200)


def _issued(request: PageRequest, key: ApiKey, text: str) -> HttpResponse:
    issued = {"key": key, "text": text, "url": request.build_absolute_uri("/api/v1/auth/me")}
    return sheet(request, "tenants/_api_key_issued.html", {"issued": issued}, changed=CHANGED)


@page("api_key.write", "api_key.manage", methods=("GET", "HEAD", "POST"))
def keys(request: PageRequest) -> HttpResponse:
    """The keys that the caller sees. POST makes one of the caller's own."""
    return issue(request) if request.method == "POST" else _show_keys(request)


@page("api_key.write")
def new_key(request: PageRequest) -> HttpResponse:
    return issue(request)


@page("api_key.write", "api_key.manage", methods=("GET", "HEAD", "POST"))
def change_key(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Rename and narrow."""
    key = get_object_or_404(api_keys.visible(request.principal), public_id=public_id)
    present = {
        "name": key.name,
        "allowed_networks": "\n".join(key.allowed_networks),
        "permissions": key.permissions,
    }
    sent = request.method == "POST"
    form = ChangeApiKeyForm(request.POST if sent else None, held=key.permissions, initial=present)
    if sent and form.is_valid():
        try:
            api_keys.update_key(key, form.cleaned_data, actor=request.principal)
        except DomainError as error:
            form.refuse(error)
        else:
            response = _show_keys(request, f"{form.cleaned_data['name']} is changed.", closes="sheet")
            response["HX-Retarget"] = "#api-keys"
            return response
    context = {"form": form, "key": key}
    return sheet(request, "tenants/_api_key_change.html", context, status=422 if sent else 200)


@page("api_key.write", methods=("GET", "HEAD", "POST"))
def rotate_key(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Another secret, shown this once."""
    key = get_object_or_404(api_keys.visible(request.principal), public_id=public_id)
    sent = request.method == "POST"
    form = RotateForm(request.POST if sent else None)
    if sent and form.is_valid():
        overlap = timedelta(seconds=int(form.cleaned_data["overlap"]))
        try:
            rotated, text = api_keys.rotate_key(key, overlap, actor=request.principal)
        except DomainError as error:
            form.refuse(error)
        else:
            return _issued(request, rotated, text)
    context = {"form": form, "key": key}
    return sheet(request, "tenants/_api_key_rotate.html", context, status=422 if sent else 200)


@page("api_key.write", "api_key.manage", methods=("POST",))
def revoke_key(request: PageRequest, public_id: UUID) -> HttpResponse:
    key = get_object_or_404(api_keys.visible(request.principal), public_id=public_id)
    api_keys.revoke_key(key, actor=request.principal)
    return _show_keys(request, f"{key.name} is revoked.")
