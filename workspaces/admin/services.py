"""Services and their ports in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from gateway.admin_verbs import ReadOnlyAdmin, ReadOnlyInline
from workspaces.models import Port, Service
from workspaces.services import managed as verbs

from .instances import OF_TENANT, STATE, InstanceAdmin


class PortInline(ReadOnlyInline):
    model = Port
    fields = ("name", "container_port", "protocol", "access", "public_port")
    readonly_fields = fields


@admin.register(Service)
class ServiceAdmin(InstanceAdmin):
    list_display: Any = (
        "name", "tenant", "kind", "state_", "drift", "health_", "error", "image", "provider", "numbers",
    )  # fmt: skip
    list_filter: Any = (*InstanceAdmin.list_filter, "kind", "health")
    search_fields: Any = (*InstanceAdmin.search_fields, "url", "=ports__public_port")
    search_help_text = "Name, tenant, owner, image, URL, port of the platform or id"
    fieldsets: Any = (
        (
            None,
            {
                "fields": (
                    "tenant", "name", "description", "kind", "url", "owner", "public_id", "created_at", "created_by",
                )
            },
        ),
        ("State", {"fields": InstanceAdmin.state_fields}),
        ("Health", {"fields": ("health_", "health_error", "health_checked_at", "probe_path")}),
        ("Where it runs", {"fields": (*InstanceAdmin.place_fields, "command", "volumes")}),
        ("Limits", {"fields": InstanceAdmin.limit_fields}),
    )  # fmt: skip
    readonly_fields = (*InstanceAdmin.readonly_fields, "health_", "volumes")
    inlines = (PortInline,)
    actions = ("start", "stop", "restart", "delete_softly", "restore", "purge")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("ports")

    @display(description="Health", ordering="health", label=STATE)
    def health_(self, row: Service) -> str:
        return row.health

    @display(description="Ports")
    def numbers(self, row: Service) -> str:
        return ", ".join(str(port.public_port) for port in row.ports.all())

    @admin.action(description="Start")
    def start(self, request: HttpRequest, rows: QuerySet[Service]) -> None:
        self.each_in_tenant(request, rows.select_related("tenant"), verbs.start_service, "starting")

    @admin.action(description="Stop")
    def stop(self, request: HttpRequest, rows: QuerySet[Service]) -> None:
        self.each_in_tenant(request, rows.select_related("tenant"), verbs.stop_service, "stopping")

    @admin.action(description="Restart: made anew from its row, volumes stay")
    def restart(self, request: HttpRequest, rows: QuerySet[Service]) -> None:
        self.each_in_tenant(request, rows.select_related("tenant"), verbs.restart_service, "restarting")

    @admin.action(description="Delete: stopped and hidden, kept for some days")
    def delete_softly(self, request: HttpRequest, rows: QuerySet[Service]) -> None:
        self.each_in_tenant(request, rows.select_related("tenant"), verbs.delete_service, "deleted")

    @admin.action(description="Restore from deletion")
    def restore(self, request: HttpRequest, rows: QuerySet[Service]) -> None:
        self.each_in_tenant(request, rows.select_related("tenant"), verbs.restore_service, "restored")

    @admin.action(description="Purge deleted ones now: their volumes are lost")
    def purge(self, request: HttpRequest, rows: QuerySet[Service]) -> None:
        self.each_in_tenant(request, rows.select_related("tenant"), verbs.purge_service, "being purged")


@admin.register(Port)
class PortAdmin(ReadOnlyAdmin):
    list_display = (
        "public_port",
        "name",
        "service",
        "tenant",
        "container_port",
        "protocol",
        "access",
        "created_at",
    )
    list_select_related = ("service", "tenant")
    list_filter = (OF_TENANT, "protocol", "access")
    list_filter_submit = True
    search_fields = ("=public_port", "name", "service__name", "tenant__slug")
    ordering = ("public_port",)
