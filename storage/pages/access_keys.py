"""Pages of S3 access keys."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import F, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404

from gateway.errors import DomainError
from gateway.ui import PageRequest, page, sheet, show
from storage.forms.access_keys import AccessKeyForm
from storage.models import AccessKey
from storage.services import access_keys as verbs

READ_KEYS, WRITE_KEYS = "storage.access_key.manage", "storage.access_key.write"


def _people_keys(request: PageRequest) -> QuerySet[AccessKey]:
    """Without the hidden ones that sign the platform's own links."""
    return AccessKey.objects.visible_to(request.principal).filter(is_internal=False)


def _keys(request: PageRequest) -> dict[str, Any]:
    rows = _people_keys(request).select_related("user")
    if not request.principal.can("storage.access_key.manage"):
        rows = rows.filter(user=request.principal.user)
    return {
        "keys": rows.order_by(F("revoked_at").desc(nulls_first=True), "-created_at")[:500],
        "endpoint": _endpoint(request),
    }


def _endpoint(request: PageRequest) -> str:
    """The S3 endpoint on the address that the person uses just now."""
    return request.build_absolute_uri("/s3")


@page(WRITE_KEYS, READ_KEYS, methods=("GET", "HEAD", "POST"))
def access_keys(request: PageRequest) -> HttpResponse:
    """The caller's keys, all of the tenant's with access_key.manage. POST makes one and shows its secret, this once."""
    if request.method != "POST":
        return show(request, "storage/access_keys.html", _keys(request), part="storage/_access_keys.html")
    form = AccessKeyForm(request.POST)
    if form.is_valid():
        try:
            key, secret = verbs.issue_access_key(form.cleaned_data["name"], actor=request.principal)
        except DomainError as error:
            form.refuse(error)
        else:
            endpoint = _endpoint(request)
            issued = {"key": key, "secret": secret, "endpoint": endpoint, "host": urlsplit(endpoint).netloc}
            return sheet(
                request, "storage/_access_key_issued.html", {"issued": issued}, changed="keys-changed"
            )
    return sheet(request, "storage/_access_key_form.html", {"form": form}, status=422)


@page(WRITE_KEYS)
def new_access_key(request: PageRequest) -> HttpResponse:
    return sheet(request, "storage/_access_key_form.html", {"form": AccessKeyForm()})


@page(WRITE_KEYS, READ_KEYS, methods=("POST",))
def revoke_access_key(request: PageRequest, public_id: UUID) -> HttpResponse:
    key = get_object_or_404(_people_keys(request), public_id=public_id)
    verbs.revoke_access_key(key, actor=request.principal)
    return show(
        request,
        "storage/access_keys.html",
        _keys(request),
        part="storage/_access_keys.html",
        done=f"{key.name} is revoked.",
    )
