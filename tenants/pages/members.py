"""Pages of a tenant's members and the invitations that are pending."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters

from gateway.errors import DomainError, NotFound
from gateway.ui import PageRequest, page, sheet, show
from tenants.forms.members import AccountForm, InvitationForm, MemberForm, role_choices
from tenants.models import Invitation, Membership, Role, User
from tenants.services import invitations, passwords, users

MOST = 500


def _members(request: PageRequest) -> dict[str, Any]:
    rows = Membership.objects.visible_to(request.principal).select_related("user", "role")
    rows = rows.filter(user__kind=User.Kind.PERSON)
    search = request.GET.get("q", "").replace("\0", "")[:150]
    role, state = request.GET.get("role", "").replace("\0", "")[:63], request.GET.get("state", "")
    if search:
        rows = rows.named(search)
    if role:
        rows = rows.filter(role__slug=role)
    if state in ("active", "deactivated"):
        rows = rows.filter(is_active=state == "active")
    found = list(rows.order_by("-is_active", "user__username")[: MOST + 1])
    return {
        "members": found[:MOST],
        "more": len(found) > MOST,
        "most": MOST,
        "roles": Role.objects.visible_to(request.principal).order_by("-is_builtin", "name"),
        "given": role_choices(request.principal),
        "q": search,
        "role": role,
        "state": state,
        "narrowed": bool(search or role or state),
    }


def _invitations(request: PageRequest) -> dict[str, Any]:
    rows = Invitation.objects.visible_to(request.principal).select_related("role")
    rows = rows.filter(accepted_at=None, revoked_at=None)
    return {"invitations": rows.order_by("-created_at")[:MOST], "now": timezone.now()}


def _show_members(request: PageRequest, done: str = "", closes: str = "") -> HttpResponse:
    context = {**_members(request), **_invitations(request)}
    part = "tenants/_members.html"
    return show(request, "tenants/members.html", context, part=part, done=done, closes=closes)


def _in_place(response: HttpResponse, target: str) -> HttpResponse:
    """Put what a dialog's form answered into the page behind it."""
    response["HX-Retarget"] = target
    return response


@sensitive_post_parameters("password")
@page("user.read", methods=("GET", "HEAD", "POST"))
def members(request: PageRequest) -> HttpResponse:
    """The tenant's members; POST makes a new one."""
    if request.method != "POST":
        return _show_members(request)
    request.principal.require("user.write")
    form = MemberForm(request.POST, actor=request.principal)
    if form.is_valid():
        try:
            made = users.create_user(request.principal.tenant, **form.cleaned_data, actor=request.principal)
        except DomainError as error:
            form.refuse(error)
        else:
            words = "can sign in now" if made.user.has_usable_password() else "is a member now"
            done = f"{made.user.username} {words}."
            return _in_place(_show_members(request, done, closes="sheet"), "#members")
    return sheet(request, "tenants/_member_form.html", {"form": form}, status=422)


@page("user.write")
def new_member(request: PageRequest) -> HttpResponse:
    return sheet(request, "tenants/_member_form.html", {"form": MemberForm(actor=request.principal)})


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


@page("user.write", methods=("GET", "HEAD", "POST"))
def member(request: PageRequest, public_id: UUID) -> HttpResponse:
    """A member's account, and what may be done with it."""
    membership = users.get_membership(public_id, actor=request.principal)
    user = membership.user
    initial = {"email": user.email, "name": user.name, "nexusgate_user_id": user.nexusgate_user_id}
    form = AccountForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            users.update_user(membership, form.cleaned_data, actor=request.principal)
        except DomainError as error:
            form.refuse(error)
        else:
            done = f"{user.username} is changed."
            return _in_place(_show_members(request, done, closes="sheet"), "#members")
    context = {"form": form, "member": membership}
    return sheet(request, "tenants/_member.html", context, status=422 if form.is_bound else 200)


@page("user.write", methods=("POST",))
def remove_member(request: PageRequest, public_id: UUID) -> HttpResponse:
    membership = users.get_membership(public_id, actor=request.principal)
    users.remove_member(membership, actor=request.principal)
    return _show_members(request, f"{membership.user.username} is no longer a member.", closes="sheet")


@page("user.write", methods=("POST",))
def send_password_link(request: PageRequest, public_id: UUID) -> HttpResponse:
    membership = users.get_membership(public_id, actor=request.principal)
    passwords.send_link(membership, actor=request.principal)
    return _show_members(request, f"A link is on its way to {membership.user.email}.", closes="sheet")


@page("user.write", methods=("GET", "HEAD", "POST"))
def invite(request: PageRequest) -> HttpResponse:
    """The form of an invitation; POST sends it."""
    form = InvitationForm(request.POST or None, actor=request.principal)
    if request.method == "POST" and form.is_valid():
        try:
            made = invitations.invite(request.principal.tenant, **form.cleaned_data, actor=request.principal)
        except DomainError as error:
            form.refuse(error)
        else:
            return _show_invitations(request, f"An invitation is on its way to {made.email}.", closes="sheet")
    status = 422 if form.is_bound else 200
    return sheet(request, "tenants/_invitation_form.html", {"form": form}, status=status)


@page("user.write", methods=("POST",))
def change_invitation(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Sent again, or taken back."""
    invitation = invitations.get_invitation(public_id, actor=request.principal)
    if request.POST.get("do") == "resend":
        invitations.resend(invitation, actor=request.principal)
        return _show_invitations(request, f"A new link is on its way to {invitation.email}.")
    if request.POST.get("do") == "revoke":
        invitations.revoke(invitation, actor=request.principal)
        return _show_invitations(request, f"The invitation of {invitation.email} is taken back.")
    raise NotFound("Nothing to do was named.")


def _show_invitations(request: PageRequest, done: str, closes: str = "") -> HttpResponse:
    context = {**_members(request), **_invitations(request)}
    part = "tenants/_invitations.html"
    response = show(request, "tenants/members.html", context, part=part, done=done, closes=closes)
    return _in_place(response, "#invitations")
