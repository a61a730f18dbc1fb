"""Snapshots of a workspace's volume."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse

from gateway.downloads import attachment
from gateway.errors import DomainError, NotFound
from gateway.ui import PageRequest, page
from workspaces.forms.workspaces import SnapshotForm
from workspaces.models import VolumeSnapshot, Workspace
from workspaces.services import snapshots as verbs

from . import shown
from .shown import show_tab
from .workspaces import led_to


def _show(
    request: PageRequest, row: Workspace, form: SnapshotForm | None = None, done: str = ""
) -> HttpResponse:
    context = {
        "snapshots": VolumeSnapshot.objects.filter(workspace=row)[:200],
        "form": form or SnapshotForm(),
    }
    return show_tab(
        request,
        row,
        "snapshots",
        "workspaces/snapshots.html",
        context,
        part="workspaces/_snapshots.html",
        status=422 if form else 200,
        done=done,
    )


@page("workspace.read", methods=("GET", "HEAD", "POST"))
def snapshots(request: PageRequest, public_id: UUID) -> HttpResponse:
    """What was kept of it. POST takes another."""
    row = shown.workspace(request, public_id)
    if request.method != "POST":
        return _show(request, row)
    request.principal.require("workspace.write")
    form = SnapshotForm(request.POST)
    if form.is_valid():
        try:
            verbs.create_snapshot(row, form.cleaned_data["name"], actor=request.principal)
        except DomainError as error:
            form.refuse(error)
        else:
            return led_to(request, request.path, f"{form.cleaned_data['name']} is being taken.")
    return _show(request, row, form)


@page("workspace.write", methods=("POST",))
def change_snapshot(request: PageRequest, public_id: UUID, snapshot_id: UUID) -> HttpResponse:
    """Put it back in place of what is there, or delete it."""
    row = shown.workspace(request, public_id)
    snapshot = verbs.get_snapshot(row, snapshot_id)
    if request.POST.get("do") == "restore":
        verbs.restore_snapshot(snapshot, actor=request.principal)
        return _show(request, row, done=f"{row.name} is going back to {snapshot.name}.")
    if request.POST.get("do") == "delete":
        verbs.delete_snapshot(snapshot, actor=request.principal)
        return _show(request, row, done=f"The snapshot {snapshot.name} is deleted.")
    raise NotFound("Nothing to do was named.")


@page("workspace.write")
def download_snapshot(request: PageRequest, public_id: UUID, snapshot_id: UUID) -> HttpResponse:
    snapshot = verbs.get_snapshot(shown.workspace(request, public_id), snapshot_id)
    pieces = verbs.content(snapshot, actor=request.principal)
    return attachment(pieces, "application/gzip", f"{snapshot.public_id}.tar.gz")  # type: ignore[return-value]
