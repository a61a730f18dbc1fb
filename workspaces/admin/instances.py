"""What workspaces and services have in common in the admin."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from gateway.admin_verbs import ReadOnlyAdmin
from gateway.crypto import CannotOpen
from gateway.templatetags.ui import cores, size
from workspaces.models import Instance
from workspaces.services import specs

OF_TENANT = ("tenant", AutocompleteSelectFilter)
STATE = {
    "running": "success",
    "starting": "warning",
    "stopping": "warning",
    "deleting": "warning",
    "absent": "warning",
    "failed": "danger",
    "healthy": "success",
    "unhealthy": "danger",
    "ready": "success",
    "cloning": "warning",
    "pending": "warning",
}
DRIFT = {"settled": "success", "waiting": "warning"}
SPECIFICATION = {"as asked for": "success", "differs": "danger"}


class InstanceAdmin(ReadOnlyAdmin):
    """Its state, whether what runs is what is wished, and why not."""

    list_select_related: Any = ("tenant", "owner")
    list_filter: Any = (OF_TENANT, "desired_state", "observed_state", "provider", "stopped_for", "deleted_at")
    list_filter_submit = True
    search_fields: Any = ("name", "tenant__slug", "owner__username", "=public_id", "image")
    search_help_text = "Name, tenant, owner, image or id"
    ordering = ("-created_at",)
    state_fields = (
        "state_",
        "drift",
        "specification",
        "desired_state",
        "stopped_for",
        "observed_state",
        "generations",
        "observed_at",
        "started_at",
        "error",
        "attempts",
        "next_attempt_at",
        "restart_number",
        "deleted_at",
        "purge_at",
    )
    place_fields = ("provider", "key_", "address", "offset", "image", "observed_digest")
    limit_fields = ("memory", "cpu", "pids")
    readonly_fields: Any = ("state_", "drift", "specification", "generations", "key_", "memory", "cpu")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("secrets_sealed", "environment")

    @display(description="State", ordering="observed_state", label=STATE)
    def state_(self, row: Instance) -> str:
        return row.state

    @display(description="Drift", label=DRIFT)
    def drift(self, row: Instance) -> str:
        """Whether the newest wish has come true."""
        return "settled" if row.is_settled else "waiting"

    @display(description="What runs", label=SPECIFICATION)
    def specification(self, row: Instance) -> str:
        """Whether it was made from what its row asks for now. Opens its secrets: of one row, not in a list."""
        if not row.observed_digest:
            return "nothing was made yet"
        try:
            wanted = specs.of(row).digest()
        except CannotOpen:
            return "unknown: its secrets cannot be opened"
        return "as asked for" if row.observed_digest == wanted else "differs"

    @display(description="Generation")
    def generations(self, row: Instance) -> str:
        return f"{row.generation} wished, {row.observed_generation} came true"

    @display(description="Key")
    def key_(self, row: Instance) -> str:
        return row.key

    @display(description="Memory", ordering="memory_bytes")
    def memory(self, row: Instance) -> str:
        return size(row.memory_bytes)

    @display(description="Processor", ordering="cpu_millis")
    def cpu(self, row: Instance) -> str:
        return cores(row.cpu_millis)
