"""Pages of service accounts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Count, Q
from django.http import HttpResponse

from gateway.errors import DomainError, NotFound
from gateway.ui import PageRequest, page, sheet, show
from tenants.forms.api_keys import ServiceAccountForm
from tenants.models import Role
from tenants.services import service_accounts

from . import api_keys


def _accounts(request: PageRequest) -> dict[str, Any]:
    own = Q(user__api_keys__tenant=request.principal.tenant, user__api_keys__revoked_at=None)
    rows = service_accounts.visible(request.principal).annotate(keys=Count("user__api_keys", filter=own))
    return {"accounts": rows.order_by("-is_active", "user__name")[:500], "roles": _roles(request)}


def _roles(request: PageRequest) -> Any:
    return Role.objects.visible_to(request.principal).exclude(slug="owner")


def _show(request: PageRequest, done: str = "", closes: str = "") -> HttpResponse:
    part = "tenants/_service_accounts.html"
    return show(
        request, "tenants/service_accounts.html", _accounts(request), part=part, done=done, closes=closes
    )


@page("service_account.read", methods=("GET", "HEAD", "POST"))
def accounts(request: PageRequest) -> HttpResponse:
    """The tenant's service accounts. POST makes one."""
    if request.method != "POST":
        return _show(request)
    form = _form(request, request.POST)
    if form.is_valid():
        try:
            made = service_accounts.create(**form.cleaned_data, actor=request.principal)
        except DomainError as error:
            form.refuse(error)
        else:
            response = _show(request, f"{made.user.name} is made; give it a key.", closes="sheet")
            response["HX-Retarget"] = "#service-accounts"
            return response
    return sheet(request, "tenants/_service_account_form.html", {"form": form}, status=422)


@page("service_account.write")
def new_account(request: PageRequest) -> HttpResponse:
    return sheet(request, "tenants/_service_account_form.html", {"form": _form(request)})


def _form(request: PageRequest, sent: Any = None) -> ServiceAccountForm:
    roles = [(role.slug, role.name) for role in _roles(request)]
    return ServiceAccountForm(sent, roles=roles, initial={"role": "member"})


@page("service_account.write", methods=("POST",))
def change_account(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Another role, or deactivated, or back."""
    account = service_accounts.get(public_id, actor=request.principal)
    name = account.user.name
    if role := request.POST.get("role"):
        service_accounts.update(account, {"role": role}, actor=request.principal)
        return _show(request, f"{name} is {role} now.")
    if (active := request.POST.get("active")) in ("yes", "no"):
        service_accounts.update(account, {"is_active": active == "yes"}, actor=request.principal)
        return _show(request, f"{name} is {'back' if active == 'yes' else 'deactivated'}.")
    raise NotFound("Nothing to change was named.")


@page("service_account.write", methods=("GET", "HEAD", "POST"))
def new_account_key(request: PageRequest, public_id: UUID) -> HttpResponse:
    """A key of the service account, shown this once."""
    return api_keys.issue(request, service_accounts.get(public_id, actor=request.principal))
