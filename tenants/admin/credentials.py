"""Credentials in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from gateway.admin_verbs import ReadOnlyAdmin, actor
from tenants.models import ApiKey
from tenants.services import api_keys


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Made in the user interface, where the key is shown once; here they are found and revoked."""

    list_display = ("name", "prefix", "user", "tenant", "state", "last_used_at", "expires_at", "created_at")
    list_select_related = ("user", "tenant")
    list_filter = (("tenant", AutocompleteSelectFilter), ("revoked_at", admin.EmptyFieldListFilter))
    list_filter_submit = True
    search_fields = ("name", "prefix", "user__username", "tenant__slug")
    fields = (
        "name",
        "prefix",
        "user",
        "tenant",
        "permissions",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    actions = ("revoke",)

    @display(description="State", label={"works": "success", "revoked": "danger", "expired": "warning"})
    def state(self, row: ApiKey) -> str:
        if row.revoked_at is not None:
            return "revoked"
        return "works" if row.is_live else "expired"

    @admin.action(description="Revoke: whatever uses them is refused at once")
    def revoke(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> None:
        chosen = rows.select_related("tenant", "user")
        self.each(
            request,
            chosen,
            lambda row: api_keys.revoke_key(row, actor=actor(request, row.tenant)),
            "revoked",
        )
