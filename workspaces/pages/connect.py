"""How MCP clients are told of a workspace."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse

from gateway.ui import PageRequest, page
from workspaces.services import connecting

from . import shown
from .shown import show_tab


@page("workspace.read")
def connect(request: PageRequest, public_id: UUID) -> HttpResponse:
    """A tab per client, with what it takes, ready to be copied."""
    row = shown.workspace(request, public_id)
    context = {"guides": connecting.guides(row)}
    return show_tab(request, row, "connect", "workspaces/connect.html", context)
