"""Pages of a tenant's members."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.debug import sensitive_post_parameters

from gateway.errors import DomainError, NotFound
from gateway.ui import PageRequest, page, sheet, show
from tenants.forms.members import MemberForm
from tenants.models import Membership, Role
from tenants.services import users


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
