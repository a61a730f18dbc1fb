"""Pages of a tenant's roles: what each holds side by side, and the editor of one. All of it works without scripts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gateway.errors import DomainError
from gateway.ui import PageRequest, is_part, page, show
from tenants.forms.roles import RoleForm
from tenants.models import Role
from tenants.permissions import BUILTIN_ROLES, GROUPS, role_permissions
from tenants.services import roles as verbs

_ORDER = list(BUILTIN_ROLES)


@page("user.read")
def roles(request: PageRequest) -> HttpResponse:
    """The tenant's roles, and which permission each holds."""
    rows = Role.objects.visible_to(request.principal).select_related("extends")
    found = list(rows.annotate(holders=Count("memberships")).order_by("name"))
    found.sort(key=lambda role: _ORDER.index(role.slug) if role.is_builtin else len(_ORDER))
    held = {role.pk: role_permissions(role) for role in found}
    matrix = [
        (group, [(name, text, [name in held[role.pk] for role in found]) for name, text in named.items()])
        for group, named in GROUPS.items()
    ]
    return show(request, "tenants/roles.html", {"roles": found, "matrix": matrix})


@page("role.write", methods=("GET", "HEAD", "POST"))
def new_role(request: PageRequest) -> HttpResponse:
    form = RoleForm(request.POST or None, actor=request.principal)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            made = verbs.create_role(
                request.principal.tenant,
                values["name"],
                slug=values["slug"],
                permissions=values["permissions"],
                extends=values["extends"] or None,
                actor=request.principal,
            )
        except DomainError as error:
            form.refuse(error)
        else:
            return _back(request, f"The role {made.name} can be given now.")
    return _editor(request, form)


@page("role.write", methods=("GET", "HEAD", "POST"))
def role(request: PageRequest, public_id: UUID) -> HttpResponse:
    """The editor of one role."""
    found = verbs.get_role(public_id, actor=request.principal)
    form = RoleForm(request.POST or None, actor=request.principal, role=found)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            verbs.update_role(
                found,
                name=values["name"],
                permissions=values["permissions"],
                extends=values["extends"] or None,
                actor=request.principal,
            )
        except DomainError as error:
            form.refuse(error)
        else:
            return _back(request, f"{values['name']} is changed, for all who have it.")
    return _editor(request, form, {"role": found})


@page("role.write", methods=("POST",))
def delete_role(request: PageRequest, public_id: UUID) -> HttpResponse:
    found = verbs.get_role(public_id, actor=request.principal)
    verbs.delete_role(found, actor=request.principal)
    return _back(request, f"The role {found.name} is deleted.")


def _editor(request: PageRequest, form: RoleForm, context: dict[str, Any] | None = None) -> HttpResponse:
    status = 422 if form.is_bound else 200
    return show(request, "tenants/role.html", {"form": form, **(context or {})}, status=status)


def _back(request: PageRequest, done: str) -> HttpResponse:
    messages.success(request, done)
    if is_part(request):
        return HttpResponse(status=204, headers={"HX-Redirect": reverse("roles")})
    return HttpResponseRedirect(reverse("roles"))
