"""Links to share in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from gateway.admin_verbs import ReadOnlyAdmin
from storage.models import ShareLink
from storage.services import share_links

from .shown import OF_TENANT, STATE


@admin.register(ShareLink)
class ShareLinkAdmin(ReadOnlyAdmin):
    """Made in the user interface, where the link is shown once; here they are found and revoked."""

    list_display = (
        "key", "bucket", "tenant", "user", "is_state", "created_at", "expires_at", "downloads_count",
    )  # fmt: skip
    list_select_related = ("user", "tenant", "bucket", "api_key")
    list_filter = (
        OF_TENANT,
        ("bucket", AutocompleteSelectFilter),
        ("revoked_at", admin.EmptyFieldListFilter),
    )
    list_filter_submit = True
    search_fields = ("key__startswith", "user__username", "tenant__slug")
    fields = (
        "key", "bucket", "version_id", "tenant", "user", "api_key", "created_at", "expires_at", "revoked_at",
        "downloads_count", "downloaded_at",
    )  # fmt: skip
    actions = ("revoke",)

    @display(description="State", label=STATE)
    def is_state(self, row: ShareLink) -> str:
        return row.state

    @admin.action(description="Revoke: nobody downloads by them any more")
    def revoke(self, request: HttpRequest, rows: QuerySet[ShareLink]) -> None:
        chosen = rows.select_related("tenant", "bucket")
        self.each_in_tenant(request, chosen, share_links.revoke, "revoked")
