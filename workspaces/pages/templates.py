"""Pages of the templates of workspaces."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from gateway.errors import DomainError
from gateway.ui import PageRequest, page, show
from tenants.services import counts
from workspaces.forms.templates import TemplateForm
from workspaces.models import Template
from workspaces.providers import registry
from workspaces.services import templates as verbs


def _list(request: PageRequest, done: str = "") -> HttpResponse:
    caller = request.principal
    rows = list(Template.objects.visible_to(caller).order_by("tenant_id", "name")[:500])
    for row in rows:
        row.is_mine = row.tenant_id == caller.tenant.pk and caller.can("template.write")
    context = {"rows": rows}
    return show(request, "workspaces/templates.html", context, part="workspaces/_templates.html", done=done)


@page("workspace.read")
def templates(request: PageRequest) -> HttpResponse:
    """The tenant's own, and those that all tenants share."""
    return _list(request)


@page("template.write", methods=("GET", "HEAD", "POST"))
def new_template(request: PageRequest) -> HttpResponse:
    return _edit(request, None)


@page("template.write", methods=("GET", "HEAD", "POST"))
def template(request: PageRequest, public_id: UUID) -> HttpResponse:
    """The editor of one of the tenant's own."""
    return _edit(request, _own(request, public_id))


def _own(request: PageRequest, public_id: UUID) -> Template:
    rows = Template.objects.visible_to(request.principal).filter(tenant=request.principal.tenant)
    found: Template = get_object_or_404(rows, public_id=public_id)
    return found


def _edit(request: PageRequest, row: Template | None) -> HttpResponse:
    sent = request.POST if request.method == "POST" else None
    form = TemplateForm(
        sent,
        initial={name: getattr(row, name) for name in verbs.FIELDS} if row else {},
        providers=_providers(),
        most=counts.limits(request.principal.tenant.pk),
    )
    if sent is not None and form.is_valid():
        try:
            if row is None:
                row = verbs.create_template(**form.cleaned_data, actor=request.principal)
            else:
                verbs.update_template(row, actor=request.principal, **form.changes)
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"The template {form.cleaned_data['name']} is kept.")
            return HttpResponseRedirect(reverse("templates"))
    context: dict[str, Any] = {
        "form": form,
        "title": row.name if row else "New template",
        "lead": "What is changed here is for workspaces that are made later." if row else "",
        "crumbs": [("Templates", reverse("templates"))],
        "action": request.path,
        "back": reverse("templates"),
        "submit": "Save" if row else "Create template",
    }
    return show(request, "workspaces/form.html", context, status=422 if form.is_bound else 200)


def _providers() -> list[tuple[str, str]]:
    """(name, label) of all providers, with what each does not isolate or why it is not there."""
    choices = []
    for offer in registry.offered():
        found = offer.availability
        told = f" (not available: {found.reason})" if not found.ok else ""
        choices.append((offer.name, f"{offer.name}{told}"))
    return choices


@page("template.write", methods=("POST",))
def delete_template(request: PageRequest, public_id: UUID) -> HttpResponse:
    row = _own(request, public_id)
    verbs.delete_template(row, actor=request.principal)
    return _list(request, f"The template {row.name} is deleted.")
