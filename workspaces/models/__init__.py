"""What runs, from which template, who may reach it, and what was kept of it."""

from .instances import Instance, InstanceQuerySet
from .samples import Sample
from .services import Port, Service
from .snapshots import VolumeSnapshot
from .templates import Template
from .workspaces import Workspace, WorkspaceShare

__all__ = [
    "Instance",
    "InstanceQuerySet",
    "Port",
    "Sample",
    "Service",
    "Template",
    "VolumeSnapshot",
    "Workspace",
    "WorkspaceShare",
]
