"""The audit log in the admin."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter

from gateway.admin_verbs import LogAdmin
from tenants.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(LogAdmin):
    list_display = ("action", "target", "actor", "credential", "ip", "tenant", "at")
    list_select_related = ("tenant",)
    list_filter = (("tenant", AutocompleteSelectFilter), ("at", RangeDateTimeFilter))
    list_filter_submit = True
    search_fields = ("=actor", "action__startswith", "target__startswith", "=request_id")
    search_help_text = "Who, the beginning of an action or a target, or a request's id"
    fields = (
        "action",
        "target",
        "actor",
        "credential",
        "ip",
        "tenant",
        "at",
        "request_id",
        "before",
        "after",
    )
