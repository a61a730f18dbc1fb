"""S3 access keys in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display

from gateway.admin_verbs import ReadOnlyAdmin
from storage.models import AccessKey
from storage.services import access_keys

from .shown import OF_TENANT, STATE


@admin.register(AccessKey)
class AccessKeyAdmin(ReadOnlyAdmin):
    """Made in the user interface, where the secret is shown once; here they are found and revoked."""

    list_display = (
        "name",
        "access_key_id",
        "user",
        "tenant",
        "state",
        "is_internal",
        "last_used_at",
        "expires_at",
        "created_at",
    )
    list_select_related = ("user", "tenant")
    list_filter = (OF_TENANT, "is_internal", ("revoked_at", admin.EmptyFieldListFilter))
    list_filter_submit = True
    search_fields = ("name", "access_key_id", "user__username", "tenant__slug")
    fields = (
        "name",
        "access_key_id",
        "user",
        "tenant",
        "permissions",
        "buckets",
        "prefixes",
        "actions",
        "allowed_networks",
        "expires_at",
        "last_used_at",
        "is_internal",
        "created_at",
        "revoked_at",
    )
    actions = ("revoke",)

    @display(description="State", label=STATE)
    def state(self, row: AccessKey) -> str:
        if row.revoked_at:
            return "revoked"
        return "expired" if row.expires_at and row.expires_at <= timezone.now() else "works"

    @admin.action(description="Revoke: whatever uses them is refused at once")
    def revoke(self, request: HttpRequest, rows: QuerySet[AccessKey]) -> None:
        self.each_in_tenant(request, rows.select_related("tenant"), access_keys.revoke_access_key, "revoked")
