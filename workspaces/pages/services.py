"""Pages of services: the list, new ones, one of them with its state and ports."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings as configuration
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gateway.errors import DomainError, NotFound
from gateway.ui import PageRequest, is_part, page, sheet, show
from tenants.services import counts
from workspaces.forms.groups import GroupedForm
from workspaces.forms.services import ExternalServiceForm, PortForm, ServiceForm, ServiceSettingsForm
from workspaces.models import Service
from workspaces.providers import registry
from workspaces.providers.base import Capability
from workspaces.services import instances, managed
from workspaces.services import ports as port_verbs

from . import lists, shown
from .shown import show_tab
from .workspaces import DONE, led_to


def _list(request: PageRequest, done: str = "") -> HttpResponse:
    wanted = lists.asked(request)
    rows = Service.objects.visible_to(request.principal).prefetch_related("ports")
    context = lists.page_of(lists.narrow(rows, wanted), wanted, reverse("services"))
    return show(request, "workspaces/services.html", context, part="workspaces/_services.html", done=done)


@page("service.read", methods=("GET", "HEAD", "POST"))
def services(request: PageRequest) -> HttpResponse:
    """The tenant's services. POST makes one from an image."""
    if request.method != "POST":
        return _list(request)
    request.principal.require("service.write")
    form = _form(request, request.POST)
    if form.is_valid():
        try:
            made = managed.create_service(**form.given, actor=request.principal)
        except DomainError as error:
            form.refuse(error)
        else:
            return _made(request, made, f"The service {made.name} is starting.")
    return _editor(request, form)


@page("service.write")
def new_service(request: PageRequest) -> HttpResponse:
    return _editor(request, _form(request))


def _form(request: PageRequest, sent: Any = None) -> ServiceForm:
    return ServiceForm(sent, most=counts.limits(request.principal.tenant.pk))


def _editor(request: PageRequest, form: ServiceForm) -> HttpResponse:
    able = [
        offer
        for offer in registry.offered()
        if offer.availability.ok and Capability.SERVICES in offer.capabilities
    ]
    notices = (
        [] if able else ["No container can run here just now: there is no container engine that answers."]
    )
    context = {"title": "New service", "submit": "Create service", "notices": notices}
    return _show_form(request, form, reverse("services"), context)


@page("service.write", methods=("GET", "HEAD", "POST"))
def new_external_service(request: PageRequest) -> HttpResponse:
    """Register something that runs elsewhere."""
    form = ExternalServiceForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = managed.register_external(**form.given, actor=request.principal)
        except DomainError as error:
            form.refuse(error)
        else:
            return _made(request, made, f"The service {made.name} is registered.")
    context = {
        "title": "External service",
        "lead": "Something that runs elsewhere: the platform keeps its address and probes it.",
        "submit": "Register service",
    }
    return _show_form(request, form, request.path, context)


def _made(request: PageRequest, row: Service, done: str) -> HttpResponse:
    messages.success(request, done)
    return HttpResponseRedirect(reverse("service", args=[row.public_id]))


def _show_form(
    request: PageRequest, form: GroupedForm, action: str, context: dict[str, Any], row: Service | None = None
) -> HttpResponse:
    crumbs = [("Services", reverse("services"))]
    if row is not None:
        crumbs.append((row.name, reverse("service", args=[row.public_id])))
    values = {"form": form, "crumbs": crumbs, "action": action, "back": crumbs[-1][1], **context}
    return show(request, "workspaces/form.html", values, status=422 if form.is_bound else 200)


@page("service.read")
def service(request: PageRequest, public_id: UUID) -> HttpResponse:
    """One of them: its ports, what it is, and what happened to it."""
    return _overview(request, shown.service(request, public_id))


def _overview(request: PageRequest, row: Service, done: str = "", closes: str = "") -> HttpResponse:
    found = list(row.ports.all())
    host = configuration.PUBLIC_BASE_URL.partition("://")[2].partition(":")[0]
    for port in found:
        port.address = (
            f"http://{host}:{port.public_port}" if port.protocol == "http" else f"{host}:{port.public_port}"
        )
    context = {
        "ports": found,
        "secret_names": instances.secret_names(row),
        "events": shown.events_of(row, request.principal),
    }
    part = "workspaces/_service.html"
    return show_tab(
        request, row, "overview", "workspaces/service.html", context, part=part, done=done, closes=closes
    )


_VERBS = {
    "start": managed.start_service,
    "stop": managed.stop_service,
    "restart": managed.restart_service,
    "delete": managed.delete_service,
    "restore": managed.restore_service,
    "purge": managed.purge_service,
}


@page("service.read", methods=("GET", "HEAD", "POST"))
def state(request: PageRequest, public_id: UUID) -> HttpResponse:
    """The head of its pages. POST with `do` changes its state."""
    row = shown.service(request, public_id)
    if request.method != "POST":
        return show_tab(request, row, "", "workspaces/instance.html", part="workspaces/_state.html")
    request.principal.require("service.write")
    wish = request.POST.get("do", "")
    if wish not in _VERBS:
        raise NotFound("Nothing to do was named.")
    _VERBS[wish](row, actor=request.principal)
    done = f"{row.name} {DONE[wish]}"
    if "list" in request.GET:
        return _list(request, done)
    if wish in ("delete", "restore", "purge") or not is_part(request):
        to = reverse("services") if wish in ("delete", "purge") else reverse("service", args=[row.public_id])
        return led_to(request, to, done)
    row = shown.service(request, public_id)
    return show_tab(request, row, "", "workspaces/instance.html", part="workspaces/_state.html", done=done)


@page("service.write", methods=("GET", "HEAD", "POST"))
def settings(request: PageRequest, public_id: UUID) -> HttpResponse:
    """What can be changed of it."""
    row = shown.service(request, public_id)
    sent = request.POST if request.method == "POST" else None
    form: ExternalServiceForm | ServiceSettingsForm
    if row.kind == Service.Kind.EXTERNAL:
        form = ExternalServiceForm(sent, initial=_initial(row, "name", "url", "description", "probe_path"))
        form.fields["name"].disabled = True
    else:
        names = (
            "description",
            "image",
            "command",
            "probe_path",
            "memory_bytes",
            "cpu_millis",
            "pids",
            "environment",
        )
        form = ServiceSettingsForm(
            sent,
            initial=_initial(row, *names),
            most=counts.limits(row.tenant_id),
            secret_names=instances.secret_names(row),
        )
    if sent is not None and form.is_valid():
        try:
            managed.update_service(row, actor=request.principal, **form.changes)
        except DomainError as error:
            form.refuse(error)
        else:
            return _made(request, row, f"{row.name} is changed.")
    context = {
        "title": f"Settings of {row.name}",
        "lead": ""
        if row.kind == Service.Kind.EXTERNAL
        else "Another image, command, limits or variables restart it.",
        "submit": "Save",
    }
    return _show_form(request, form, request.path, context, row)


def _initial(row: Service, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


@page("service.write", methods=("GET", "HEAD", "POST"))
def service_ports(request: PageRequest, public_id: UUID) -> HttpResponse:
    """The form of one more port; POST adds it."""
    row = shown.service(request, public_id)
    form = PortForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            port = port_verbs.add_port(row, form.cleaned_data, actor=request.principal)  # type: ignore[arg-type]
        except DomainError as error:
            form.refuse(error)
        else:
            response = _overview(
                request, row, f"{port.name} is reached at port {port.public_port}.", closes="sheet"
            )
            response["HX-Retarget"] = "#overview"
            return response
    context = {"form": form, "instance": row}
    return sheet(request, "workspaces/_port_form.html", context, status=422 if form.is_bound else 200)


@page("service.write", methods=("POST",))
def remove_port(request: PageRequest, public_id: UUID, port_id: UUID) -> HttpResponse:
    row = shown.service(request, public_id)
    port = port_verbs.get_port(row, port_id, actor=request.principal)
    port_verbs.remove_port(port, actor=request.principal)
    return _overview(request, row, f"The port {port.name} is removed.")
