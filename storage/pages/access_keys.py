"""Pages of S3 access keys."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import F
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from gateway.errors import DomainError
from gateway.ui import PageRequest, page, sheet, show
from storage.forms.access_keys import AccessKeyForm, ChangeAccessKeyForm
from storage.models import AccessKey, Bucket
from storage.services import access_keys as verbs
from tenants.services import service_accounts

from .shown import led_to

READ_KEYS, WRITE_KEYS = "storage.access_key.manage", "storage.access_key.write"
MOST = 500


def _keys(request: PageRequest) -> dict[str, Any]:
    rows = verbs.visible(request.principal).order_by(F("revoked_at").desc(nulls_first=True), "-created_at")
    keys = list(rows[:MOST])
    now = timezone.now()
    for key in keys:
        key.has_ended = bool(key.revoked_at or (key.expires_at and key.expires_at <= now))  # type: ignore[attr-defined]
        key.may_change = verbs.may_touch(key, request.principal)  # type: ignore[attr-defined]
        key.is_limited = bool(  # type: ignore[attr-defined]
            key.buckets or key.prefixes or key.actions or key.allowed_networks or key.permissions is not None
        )
    return {"keys": keys, "endpoint": _endpoint(request)}


def _endpoint(request: PageRequest) -> str:
    """The S3 endpoint on the address that the person uses just now."""
    return request.build_absolute_uri("/s3")


def _form(request: PageRequest, data: Any = None) -> AccessKeyForm:
    caller = request.principal
    accounts = []
    if caller.can("service_account.write"):
        found = service_accounts.visible(caller).filter(is_active=True).select_related("user")
        accounts = [
            (str(one.user.public_id), f"{one.user.username}, a service account") for one in found[:MOST]
        ]
    return AccessKeyForm(data, actor=caller, accounts=accounts)


def _form_sheet(request: PageRequest, form: AccessKeyForm, status: int = 200) -> HttpResponse:
    names = Bucket.objects.visible_to(request.principal).values_list("name", flat=True)
    return sheet(
        request, "storage/_access_key_form.html", {"form": form, "buckets": names[:MOST]}, status=status
    )


@page(WRITE_KEYS, READ_KEYS, methods=("GET", "HEAD", "POST"))
def access_keys(request: PageRequest) -> HttpResponse:
    """The caller's keys, all of the tenant's with access_key.manage. POST makes one and shows its secret, this once."""
    if request.method != "POST":
        return show(request, "storage/access_keys.html", _keys(request), part="storage/_access_keys.html")
    form = _form(request, request.POST)
    if form.is_valid():
        try:
            account = form.cleaned_data.get("owner")
            owner = service_accounts.get(account, actor=request.principal) if account else None
            key, secret = verbs.issue_access_key(
                form.cleaned_data["name"], form.given, owner=owner, actor=request.principal
            )
        except DomainError as error:
            form.refuse(error)
        else:
            return _issued(request, key, secret)
    return _form_sheet(request, form, status=422)


def _issued(request: PageRequest, key: AccessKey, secret: str) -> HttpResponse:
    endpoint = _endpoint(request)
    issued = {"key": key, "secret": secret, "endpoint": endpoint, "host": urlsplit(endpoint).netloc}
    return sheet(request, "storage/_access_key_issued.html", {"issued": issued}, changed="keys-changed")


@page(WRITE_KEYS)
def new_access_key(request: PageRequest) -> HttpResponse:
    return _form_sheet(request, _form(request))


@page(WRITE_KEYS, READ_KEYS, methods=("GET", "HEAD", "POST"))
def access_key(request: PageRequest, public_id: UUID) -> HttpResponse:
    """What a key is limited to; POST changes it."""
    key = get_object_or_404(verbs.visible(request.principal), public_id=public_id)
    form = ChangeAccessKeyForm(request.POST if request.method == "POST" else None, key=key)
    if request.method == "POST" and form.is_valid():
        try:
            verbs.update_access_key(key, form.changes, actor=request.principal)
        except DomainError as error:
            form.refuse(error)
        else:
            return led_to(request, reverse("access-keys"), f"{form.cleaned_data['name']} is saved.")
    ended = bool(key.revoked_at or (key.expires_at and key.expires_at <= timezone.now()))
    context = {
        "key": key,
        "form": form,
        "ended": ended,
        "may_change": not ended and verbs.may_touch(key, request.principal),
    }
    return sheet(request, "storage/_access_key.html", context, status=422 if form.errors else 200)


@page(WRITE_KEYS, READ_KEYS, methods=("POST",))
def revoke_access_key(request: PageRequest, public_id: UUID) -> HttpResponse:
    key = get_object_or_404(verbs.visible(request.principal), public_id=public_id)
    verbs.revoke_access_key(key, actor=request.principal)
    return show(
        request,
        "storage/access_keys.html",
        _keys(request),
        part="storage/_access_keys.html",
        done=f"{key.name} is revoked.",
    )
