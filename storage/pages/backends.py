"""Pages of backends: where buckets may lie, whether each answers, and what it can."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gateway.errors import DomainError
from gateway.ui import PageRequest, is_part, page, show
from storage.forms.backends import ChangeBackendForm, NewBackendForm
from storage.models import Backend, Bucket
from storage.providers import quirks
from storage.services import backend_providers
from storage.services import backends as verbs

from .shown import led_to

MOST = 500
_CAN: dict[str, str] = {
    "versioning": "Keeps versions",
    "object_lock": "Locks versions",
    "encryption": "Encrypts by itself (SSE-S3)",
    "customer_keys": "Encrypts by clients' keys (SSE-C)",
    "conditional_writes": "Compares conditions of writes",
    "conditional_deletes": "Compares conditions of deletions",
    "checksums": "Keeps the checksums of newer SDKs",
    "part_numbers": "Reads single parts",
}


def _list(request: PageRequest, done: str = "") -> HttpResponse:
    caller = request.principal
    found = list(Backend.objects.visible_to(caller).order_by("tenant_id", "name")[:MOST])
    held = dict(
        Bucket.objects.visible_to(caller)
        .values_list("placement__backend_id")
        .annotate(count=Count("pk"))
        .order_by()
    )
    rows = [(row, held.get(row.pk, 0)) for row in found]
    context = {"rows": rows, "waits": any(map(_is_being_tested, found))}
    return show(request, "storage/backends.html", context, part="storage/_backends.html", done=done)


def _needed(row: Backend) -> str:
    """The permission to change it."""
    return "storage.backend.write" if row.tenant_id else "platform.backends"


def _is_being_tested(row: Backend) -> bool:
    return row.checked_at is None and backend_providers.is_remote(row)


def _state(row: Backend) -> str:
    return "fails" if row.check_error else "waits" if _is_being_tested(row) else "works"


def _seen(row: Backend) -> str:
    """What a page shows of it, by which it learns later that there is something else."""
    return f"{_state(row)}.{row.checked_at.timestamp() if row.checked_at else 0}"


@page("storage.backend.read")
def backends(request: PageRequest) -> HttpResponse:
    """The tenant's own, and those that the platform shares."""
    return _list(request)


@page("storage.backend.write", methods=("GET", "HEAD", "POST"))
def new_backend(request: PageRequest) -> HttpResponse:
    form = NewBackendForm(request.POST if request.method == "POST" else None, actor=request.principal)
    if form.is_bound and form.is_valid():
        try:
            made = verbs.create_backend(**form.values, actor=request.principal)
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"The backend {made.name} is added. Its connection is being tested.")
            if request.principal.can("storage.backend.read"):
                return HttpResponseRedirect(reverse("backend", args=[made.public_id]))
            return HttpResponseRedirect(reverse("new-backend"))
    return show(request, "storage/new_backend.html", {"form": form}, status=422 if form.errors else 200)


@page("storage.backend.read", methods=("GET", "HEAD", "POST"))
def backend(request: PageRequest, public_id: UUID) -> HttpResponse:
    """What its last test found; POST changes how it is reached."""
    row = verbs.get_backend(public_id, actor=request.principal)
    if request.method != "POST":
        if is_part(request) and request.GET.get("seen") == _seen(row):
            return HttpResponse(status=204)
        return _show(request, row)
    request.principal.require(_needed(row))
    form = ChangeBackendForm(request.POST, backend=row, may_write=True)
    if form.is_valid():
        try:
            row = verbs.update_backend(row, **form.changes, actor=request.principal)
        except DomainError as error:
            form.refuse(error)
        else:
            return led_to(request, reverse("backend", args=[row.public_id]), f"{row.name} is saved.")
    return _show(request, row, form=form, status=422)


def _show(
    request: PageRequest,
    row: Backend,
    *,
    form: ChangeBackendForm | None = None,
    status: int = 200,
    done: str = "",
) -> HttpResponse:
    held = Bucket.objects.visible_to(request.principal).filter(placement__backend=row)
    may_write = request.principal.can(_needed(row))
    context: dict[str, Any] = {
        "backend": row,
        "form": form or ChangeBackendForm(backend=row, may_write=may_write),
        "vendor": quirks.vendor_of(row.vendor).title if row.vendor else "",
        "is_remote": backend_providers.is_remote(row),
        "waits": _is_being_tested(row),
        "seen": _seen(row),
        "tells": is_part(request) and request.GET.get("seen", "").partition(".")[0] != _state(row),
        "can_do": [(words, bool(row.capabilities.get(name))) for name, words in _CAN.items()],
        "buckets_count": held.count(),
        "may_write": may_write,
    }
    return show(
        request,
        "storage/backend.html",
        context,
        part="storage/_backend_state.html",
        status=status,
        done=done,
    )


@page("storage.backend.write", methods=("POST",))
def test_backend(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Try the connection now, and show what was found."""
    row = verbs.get_backend(public_id, actor=request.principal)
    row = verbs.check_backend(row, actor=request.principal)
    done = "" if row.check_error else f"{row.name} answers well."
    if is_part(request):
        return _show(request, row, done=done)
    return led_to(request, reverse("backend", args=[row.public_id]), done or f"{row.name}: {row.check_error}")


@page("storage.backend.write", methods=("POST",))
def delete_backend(request: PageRequest, public_id: UUID) -> HttpResponse:
    row = verbs.get_backend(public_id, actor=request.principal)
    verbs.delete_backend(row, actor=request.principal)
    return led_to(request, reverse("backends"), f"The backend {row.name} is deleted.")
