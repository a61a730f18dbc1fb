"""What all pages of one workspace or service share: finding it, its head with state and tabs, its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from gateway.ui import PageRequest, show
from realtime.models import Event
from realtime.newest import newest
from tenants.principal import Principal
from workspaces.models import Instance, Service, Workspace

MOST_EVENTS = 15


@dataclass(frozen=True, slots=True)
class Kind:
    """The words and addresses of the head, by kind of instance."""

    plural: str
    is_service: bool
    list_url: str
    state_url: str
    settings_url: str
    delete_question: str
    tabs: list[tuple[str, str, str]]


def workspace(request: PageRequest, public_id: UUID) -> Workspace:
    """One within the caller's reach, also a deleted one; another is 404."""
    rows = Workspace.objects.visible_to(request.principal).select_related("owner", "template")
    found: Workspace = get_object_or_404(rows, public_id=public_id)
    return found


def service(request: PageRequest, public_id: UUID) -> Service:
    rows = Service.objects.visible_to(request.principal).select_related("owner")
    found: Service = get_object_or_404(rows, public_id=public_id)
    return found


def may_write(instance: Instance, caller: Principal) -> bool:
    """Whether the caller may change it: what the verbs check, to show no button in vain."""
    if isinstance(instance, Service):
        return caller.can("service.write")
    is_owner = caller.user is not None and instance.owner_id == caller.user.pk
    return caller.can("workspace.manage") or (is_owner and caller.can("workspace.write"))


def kind_of(instance: Instance, caller: Principal) -> Kind:
    if isinstance(instance, Service):
        return _of_service(instance, caller)
    assert isinstance(instance, Workspace)
    return _of_workspace(instance, caller)


def _of_workspace(row: Workspace, caller: Principal) -> Kind:
    tabs = [("overview", "Overview", "workspace")]
    if caller.can("workspace.use"):
        tabs.append(("files", "Files", "workspace-files"))
    tabs += [("logs", "Logs", "workspace-logs"), ("usage", "Usage", "workspace-usage")]
    if caller.can("workspace.terminal"):
        tabs.append(("terminal", "Terminal", "workspace-terminal"))
    tabs += [("snapshots", "Snapshots", "workspace-snapshots"), ("connect", "Connect", "workspace-connect")]
    return Kind(
        "Workspaces",
        False,
        reverse("workspaces"),
        reverse("workspace-state", args=[row.public_id]),
        reverse("workspace-settings", args=[row.public_id]),
        "It stops at once; for some days it can be restored.",
        [(name, label, reverse(view, args=[row.public_id])) for name, label, view in tabs],
    )


def _of_service(row: Service, caller: Principal) -> Kind:
    tabs = [("overview", "Overview", "service")]
    if row.kind == Service.Kind.CONTAINER:
        tabs += [("logs", "Logs", "service-logs"), ("usage", "Usage", "service-usage")]
        if caller.can("service.terminal"):
            tabs.append(("terminal", "Terminal", "service-terminal"))
    question = "It stops at once; for some days it can be restored."
    return Kind(
        "Services",
        True,
        reverse("services"),
        reverse("service-state", args=[row.public_id]),
        reverse("service-settings", args=[row.public_id]),
        question,
        [(name, label, reverse(view, args=[row.public_id])) for name, label, view in tabs],
    )


def show_tab(
    request: PageRequest,
    instance: Instance,
    tab: str,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    part: str | None = None,
    status: int = 200,
    done: str = "",
    closes: str = "",
) -> HttpResponse:
    """A page of the instance, with its head; as `gateway.ui.show`."""
    values = {
        "instance": instance,
        "kind": kind_of(instance, request.principal),
        "may_write": may_write(instance, request.principal),
        "tab": tab,
        **(context or {}),
    }
    return show(request, template, values, part=part, status=status, done=done, closes=closes)


def events_of(instance: Instance, caller: Principal) -> list[Event]:
    """The newest events about it, for who may read events."""
    if not caller.can("event.read"):
        return []
    found = newest(caller, 4 * MOST_EVENTS, kind="workspaces.", subject=instance.name)
    ours = str(instance.public_id)
    return [event for event in found if ours in (event.data.get("id"), event.data.get("workspace_id"))][
        :MOST_EVENTS
    ]
