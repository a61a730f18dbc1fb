"""Copies of workspaces' volumes, kept as compressed files below the home."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from workspaces.models import VolumeSnapshot, Workspace


def file_of(snapshot: VolumeSnapshot) -> Path:
    """Where a snapshot's content lies."""
    return folder() / f"{snapshot.public_id.hex}.tar.gz"


def folder() -> Path:
    return Path(settings.HOME) / "workspaces" / "snapshots"


def remove_files(workspace: Workspace) -> None:
    """Remove what a workspace's snapshots hold; their rows go with it."""
    for snapshot in VolumeSnapshot.objects.filter(workspace=workspace):
        file_of(snapshot).unlink(missing_ok=True)
