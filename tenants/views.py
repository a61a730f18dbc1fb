"""Pages of people, their API keys and what they did."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import F, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.debug import sensitive_post_parameters

from gateway.errors import DomainError, NotFound
from gateway.ui import PageRequest, page, row_number, sheet, show

from .forms import ApiKeyForm, MemberForm
from .models import ApiKey, AuditEntry, Membership, Role
from .services import api_keys, users

PER_PAGE = 50


# API keys


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


# Members


def _members(request: PageRequest) -> dict[str, Any]:
    rows = Membership.objects.visible_to(request.principal).select_related("user", "role")
    search = request.GET.get("q", "").replace("\0", "")[:150]
    if search:
        rows = rows.filter(user__username__icontains=search)
    return {
        "members": rows.order_by("-is_active", "user__username")[:500],
        "roles": Role.objects.visible_to(request.principal),
        "q": search,
    }


def _show_members(request: PageRequest, done: str = "", closes: str = "") -> HttpResponse:
    return show(
        request,
        "tenants/members.html",
        _members(request),
        part="tenants/_members.html",
        done=done,
        closes=closes,
    )


@sensitive_post_parameters("password")
@page("user.read", methods=("GET", "HEAD", "POST"))
def members(request: PageRequest) -> HttpResponse:
    """The tenant's members; POST makes a new one."""
    if request.method != "POST":
        return _show_members(request)
    form = MemberForm(request.POST)
    if form.is_valid():
        try:
            membership = users.create_user(
                request.principal.tenant, **form.cleaned_data, actor=request.principal
            )
        except DomainError as error:
            form.refuse(error)
        else:
            done = f"{membership.user.username} can sign in now."
            response = _show_members(request, done, closes="sheet")
            response["HX-Retarget"] = "#members"
            return response
    return sheet(request, "tenants/_member_form.html", {"form": form}, status=422)


@page("user.write")
def new_member(request: PageRequest) -> HttpResponse:
    return sheet(request, "tenants/_member_form.html", {"form": MemberForm()})


@page("user.write", methods=("POST",))
def change_member(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Another role, or deactivated, or back."""
    membership = users.get_membership(public_id, actor=request.principal)
    name = membership.user.username
    if role := request.POST.get("role"):
        users.assign_role(membership, role, actor=request.principal)
        return _show_members(request, f"{name} is {role} now.")
    if request.POST.get("active") == "no":
        users.deactivate_user(membership, actor=request.principal)
        return _show_members(request, f"{name} is deactivated.")
    if request.POST.get("active") == "yes":
        users.reactivate_user(membership, actor=request.principal)
        return _show_members(request, f"{name} is back.")
    raise NotFound("Nothing to change was named.")


# Audit


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
