"""Terminals in the browser; their bytes go through a WebSocket of the `live` process."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse

from gateway.errors import DomainError
from gateway.ui import PageRequest, page
from workspaces.models import Instance
from workspaces.providers.base import Capability
from workspaces.services import terminals

from . import shown
from .logs import api_url
from .shown import show_tab


@page("workspace.terminal")
def workspace_terminal(request: PageRequest, public_id: UUID) -> HttpResponse:
    return _terminal(request, shown.workspace(request, public_id))


@page("service.terminal")
def service_terminal(request: PageRequest, public_id: UUID) -> HttpResponse:
    return _terminal(request, shown.service(request, public_id))


def _terminal(request: PageRequest, row: Instance) -> HttpResponse:
    context: dict[str, object] = {"socket_url": api_url(row, "terminal"), "runs": True}
    try:
        terminals.able(row, Capability.TERMINAL, "terminals")
        terminals.check_running(row)
    except DomainError as error:
        context |= {"runs": False, "why_not": error.detail}
    return show_tab(request, row, "terminal", "workspaces/terminal.html", context)
