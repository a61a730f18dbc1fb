"""Workspaces in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from gateway.admin_verbs import ReadOnlyInline
from gateway.templatetags.ui import size
from workspaces.models import VolumeSnapshot, Workspace, WorkspaceShare
from workspaces.services import workspaces as verbs

from .instances import STATE, InstanceAdmin


class ShareInline(ReadOnlyInline):
    model = WorkspaceShare
    ordering = ("pk",)
    fields = ("user", "created_at", "created_by")
    readonly_fields = fields
    show_change_link = False


class SnapshotInline(ReadOnlyInline):
    model = VolumeSnapshot
    fields = ("name", "state", "size_bytes", "created_at", "created_by")
    readonly_fields = fields


@admin.register(Workspace)
class WorkspaceAdmin(InstanceAdmin):
    list_display = (
        "name", "tenant", "owner", "state_", "drift", "error", "provider", "repository", "memory", "last_active_at",
    )  # fmt: skip
    list_filter = (*InstanceAdmin.list_filter, "repository_state", "is_hidden")
    fieldsets = (
        (None, {"fields": ("tenant", "name", "description", "owner", "public_id", "created_at", "created_by")}),
        ("State", {"fields": InstanceAdmin.state_fields}),
        ("Where it runs", {"fields": InstanceAdmin.place_fields}),
        ("Limits", {"fields": (*InstanceAdmin.limit_fields, "idle_minutes")}),
        (
            "Contents",
            {
                "fields": (
                    "template", "git_url", "git_branch", "repository", "repository_error", "volume", "ports",
                    "metadata", "run_command", "last_active_at", "is_hidden",
                )
            },
        ),
    )  # fmt: skip
    readonly_fields = (*InstanceAdmin.readonly_fields, "repository", "volume", "ports", "metadata")
    inlines = (ShareInline, SnapshotInline)
    actions = ("start", "stop", "restart", "delete_softly", "restore", "purge")

    @display(description="Repository", label=STATE)
    def repository(self, row: Workspace) -> str:
        return row.repository_state

    @display(description="Volume")
    def volume(self, row: Workspace) -> str:
        return "not measured" if row.volume_bytes is None else size(row.volume_bytes)

    @admin.action(description="Start")
    def start(self, request: HttpRequest, rows: QuerySet[Workspace]) -> None:
        self.each_in_tenant(request, rows.select_related("tenant"), verbs.start_workspace, "starting")

    @admin.action(description="Stop")
    def stop(self, request: HttpRequest, rows: QuerySet[Workspace]) -> None:
        self.each_in_tenant(request, rows.select_related("tenant"), verbs.stop_workspace, "stopping")

    @admin.action(description="Restart: made anew from its row, the volume stays")
    def restart(self, request: HttpRequest, rows: QuerySet[Workspace]) -> None:
        self.each_in_tenant(request, rows.select_related("tenant"), verbs.restart_workspace, "restarting")

    @admin.action(description="Delete: stopped and hidden, kept for some days")
    def delete_softly(self, request: HttpRequest, rows: QuerySet[Workspace]) -> None:
        self.each_in_tenant(request, rows.select_related("tenant"), verbs.delete_workspace, "deleted")

    @admin.action(description="Restore from deletion")
    def restore(self, request: HttpRequest, rows: QuerySet[Workspace]) -> None:
        self.each_in_tenant(request, rows.select_related("tenant"), verbs.restore_workspace, "restored")

    @admin.action(description="Purge deleted ones now: volumes and snapshots are lost")
    def purge(self, request: HttpRequest, rows: QuerySet[Workspace]) -> None:
        self.each_in_tenant(request, rows.select_related("tenant"), verbs.purge_workspace, "being purged")
