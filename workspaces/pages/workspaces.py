"""Pages of workspaces: the list, a new one, one of them with its state."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings as configuration
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gateway.errors import DomainError, NotFound
from gateway.ui import PageRequest, is_part, page, show
from tenants.services import counts
from workspaces.forms.workspaces import WorkspaceForm, WorkspaceSettingsForm
from workspaces.models import Template, Workspace, WorkspaceShare
from workspaces.providers import registry
from workspaces.services import connecting, instances
from workspaces.services import workspaces as verbs

from . import lists, shown
from .shown import show_tab

OWNERS = [("", "All within reach"), ("mine", "Mine"), ("shared", "Shared with me")]


def _list(request: PageRequest, done: str = "") -> HttpResponse:
    caller = request.principal
    wanted = lists.asked(request, "whose")
    rows = lists.narrow(Workspace.objects.visible_to(caller).select_related("owner"), wanted)
    if wanted["whose"] == "mine":
        rows = rows.filter(owner=caller.user)
    elif wanted["whose"] == "shared":
        rows = rows.filter(shares__user=caller.user)
    context = lists.page_of(rows, wanted, reverse("workspaces"))
    for row in context["rows"]:
        row.is_mine = shown.may_write(row, caller)
    context["owners"] = OWNERS
    return show(request, "workspaces/workspaces.html", context, part="workspaces/_workspaces.html", done=done)


@page("workspace.read", methods=("GET", "HEAD", "POST"))
def workspaces(request: PageRequest) -> HttpResponse:
    """Those within the caller's reach. POST makes one."""
    if request.method != "POST":
        return _list(request)
    request.principal.require("workspace.write")
    form = _form(request, request.POST)
    if form.is_valid():
        try:
            made = verbs.create_workspace(**form.given, actor=request.principal)
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"The workspace {made.name} is starting.")
            return HttpResponseRedirect(reverse("workspace", args=[made.public_id]))
    return _editor(request, form)


@page("workspace.write")
def new_workspace(request: PageRequest) -> HttpResponse:
    return _editor(request, _form(request))


def _form(request: PageRequest, sent: Any = None) -> WorkspaceForm:
    caller = request.principal
    return WorkspaceForm(
        sent, templates=Template.objects.visible_to(caller), most=counts.limits(caller.tenant.pk)
    )


def _editor(request: PageRequest, form: WorkspaceForm) -> HttpResponse:
    offered = registry.offered()
    notices = []
    if not any(offer.availability.ok for offer in offered):
        reasons = " ".join(f"{offer.name}: {offer.availability.reason}" for offer in offered)
        notices = [f"No workspace can run here just now. {reasons}"]
    context = {
        "form": form,
        "title": "New workspace",
        "crumbs": [("Workspaces", reverse("workspaces"))],
        "action": reverse("workspaces"),
        "back": reverse("workspaces"),
        "submit": "Create workspace",
        "notices": notices,
    }
    return show(request, "workspaces/form.html", context, status=422 if form.is_bound else 200)


@page("workspace.read")
def workspace(request: PageRequest, public_id: UUID) -> HttpResponse:
    """One of them: its address, what it is, who reaches it, and what happened to it."""
    return overview(request, shown.workspace(request, public_id))


def overview(request: PageRequest, row: Workspace, done: str = "", closes: str = "") -> HttpResponse:
    context = {
        "mcp_url": connecting.url_of(row),
        "ports": [
            {"name": name, "number": number, "url": f"{configuration.PUBLIC_BASE_URL}/ws/{row.name}/{name}/"}
            for name, number in sorted(row.ports.items())
        ],
        "shares": WorkspaceShare.objects.filter(workspace=row)
        .select_related("user")
        .order_by("user__username"),
        "events": shown.events_of(row, request.principal),
        "not_isolated": _not_isolated(row),
    }
    part = "workspaces/_workspace.html"
    return show_tab(
        request, row, "overview", "workspaces/workspace.html", context, part=part, done=done, closes=closes
    )


def _not_isolated(row: Workspace) -> tuple[str, ...]:
    """What its provider does not isolate, in words; nothing where the provider is no longer there."""
    return registry.availability(row.provider).not_isolated if row.provider in registry.names() else ()


DONE = {
    "start": "is starting.",
    "stop": "is stopping.",
    "restart": "is restarting.",
    "delete": "is deleted. It can be restored for some days.",
    "restore": "is back.",
    "purge": "is being removed for good.",
}
_VERBS = {
    "start": verbs.start_workspace,
    "stop": verbs.stop_workspace,
    "restart": verbs.restart_workspace,
    "delete": verbs.delete_workspace,
    "restore": verbs.restore_workspace,
    "purge": verbs.purge_workspace,
}


@page("workspace.read", methods=("GET", "HEAD", "POST"))
def state(request: PageRequest, public_id: UUID) -> HttpResponse:
    """The head of its pages. POST with `do` changes its state."""
    row = shown.workspace(request, public_id)
    if request.method != "POST":
        return show_tab(request, row, "", "workspaces/instance.html", part="workspaces/_state.html")
    wish = request.POST.get("do", "")
    if wish not in _VERBS:
        raise NotFound("Nothing to do was named.")
    request.principal.require("workspace.write")
    _VERBS[wish](row, actor=request.principal)
    done = f"{row.name} {DONE[wish]}"
    if "list" in request.GET:
        return _list(request, done)
    if wish in ("delete", "restore", "purge") or not is_part(request):
        to = (
            reverse("workspaces")
            if wish in ("delete", "purge")
            else reverse("workspace", args=[row.public_id])
        )
        return led_to(request, to, done)
    row = shown.workspace(request, public_id)
    return show_tab(request, row, "", "workspaces/instance.html", part="workspaces/_state.html", done=done)


def led_to(request: PageRequest, url: str, done: str) -> HttpResponse:
    """To another page, with a message there."""
    messages.success(request, done)
    if is_part(request):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


@page("workspace.write", methods=("GET", "HEAD", "POST"))
def settings(request: PageRequest, public_id: UUID) -> HttpResponse:
    """What can be changed of it."""
    row = shown.workspace(request, public_id)
    names = (
        "description",
        "metadata",
        "memory_bytes",
        "cpu_millis",
        "pids",
        "idle_minutes",
        "environment",
        "ports",
    )
    form = WorkspaceSettingsForm(
        request.POST if request.method == "POST" else None,
        initial={name: getattr(row, name) for name in names},
        most=counts.limits(row.tenant_id),
        secret_names=instances.secret_names(row),
    )
    if request.method == "POST" and form.is_valid():
        try:
            verbs.update_workspace(row, actor=request.principal, **form.changes)
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"{row.name} is changed.")
            return HttpResponseRedirect(reverse("workspace", args=[row.public_id]))
    context = {
        "form": form,
        "title": f"Settings of {row.name}",
        "lead": "Other limits, variables, secrets and ports restart it if it runs.",
        "crumbs": [
            ("Workspaces", reverse("workspaces")),
            (row.name, reverse("workspace", args=[row.public_id])),
        ],
        "action": request.path,
        "back": reverse("workspace", args=[row.public_id]),
        "submit": "Save",
    }
    return show(request, "workspaces/form.html", context, status=422 if form.is_bound else 200)
