"""Snapshots and readings in the admin."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from gateway.admin_verbs import LogAdmin, ReadOnlyAdmin
from gateway.templatetags.ui import size
from workspaces.models import Sample, VolumeSnapshot

from .instances import OF_TENANT, STATE


@admin.register(VolumeSnapshot)
class VolumeSnapshotAdmin(ReadOnlyAdmin):
    list_display = ("name", "workspace", "tenant", "state_", "size_", "error", "created_by", "created_at")
    list_select_related = ("workspace", "tenant")
    list_filter = (OF_TENANT, "state")
    list_filter_submit = True
    search_fields = ("name", "workspace__name", "tenant__slug", "=public_id")
    fields = (
        "name", "workspace", "tenant", "public_id", "state_", "size_", "sha256", "error", "created_by", "created_at",
    )  # fmt: skip

    @display(description="State", ordering="state", label=STATE)
    def state_(self, row: VolumeSnapshot) -> str:
        return row.state

    @display(description="Size", ordering="size_bytes")
    def size_(self, row: VolumeSnapshot) -> str:
        return size(row.size_bytes)


@admin.register(Sample)
class SampleAdmin(LogAdmin):
    """What instances used, by their keys."""

    list_display = ("at", "key", "tenant", "cpu_millis", "memory", "pids", "received_bytes", "sent_bytes")
    list_select_related = ("tenant",)
    list_filter = (OF_TENANT,)
    list_filter_submit = True
    search_fields = ("=key",)
    search_help_text = "The key of a workspace or service"

    @display(description="Memory")
    def memory(self, row: Sample) -> str:
        return size(row.memory_bytes)
