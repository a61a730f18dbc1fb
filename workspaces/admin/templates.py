"""Templates in the admin; without a tenant they are for all."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display

from gateway.admin_verbs import VerbAdmin, actor
from gateway.templatetags.ui import cores, size
from workspaces.models import Template
from workspaces.services import templates as verbs

from .instances import OF_TENANT


@admin.register(Template)
class TemplateAdmin(VerbAdmin):
    can_add = can_change = can_delete = True
    list_display = (
        "name",
        "owner",
        "is_default",
        "provider",
        "image",
        "memory",
        "cpu",
        "idle_minutes",
        "run_command",
    )
    list_select_related = ("tenant",)
    list_filter = (OF_TENANT, "is_default", "provider", "run_command")
    list_filter_submit = True
    search_fields = ("name", "image", "tenant__slug")
    autocomplete_fields = ("tenant",)
    fields = ("tenant", *verbs.FIELDS)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("tenant",) if obj else ()

    @display(description="Tenant", ordering="tenant__slug")
    def owner(self, row: Template) -> str:
        return str(row.tenant) if row.tenant else "shared by all"

    @display(description="Memory", ordering="memory_bytes")
    def memory(self, row: Template) -> str:
        return size(row.memory_bytes)

    @display(description="Processor", ordering="cpu_millis")
    def cpu(self, row: Template) -> str:
        return cores(row.cpu_millis)

    def create(self, row: Template, values: dict[str, Any], request: HttpRequest) -> Template:
        given = {name: values[name] for name in verbs.FIELDS}
        return verbs.create_template(
            **given, shared=values["tenant"] is None, actor=actor(request, values["tenant"])
        )

    def change(self, row: Template, values: dict[str, Any], request: HttpRequest) -> None:
        verbs.update_template(
            row, actor=actor(request, row.tenant), **{name: values[name] for name in verbs.FIELDS}
        )

    def remove(self, row: Template, request: HttpRequest) -> None:
        verbs.delete_template(row, actor=actor(request, row.tenant))
