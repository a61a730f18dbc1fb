"""Objects and what they take in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from gateway.admin_verbs import LogAdmin, ReadOnlyAdmin
from gateway.templatetags.ui import size
from storage.models import Object, ObjectVersion, Usage
from storage.services import backend_providers

from .shown import OF_TENANT


@admin.register(Object)
class ObjectAdmin(LogAdmin):
    list_display: Any = (
        "key",
        "bucket",
        "tenant",
        "held",
        "content_type",
        "place",
        "writer",
        "last_modified",
    )
    list_select_related = ("bucket__placement__backend", "tenant")
    list_filter: Any = (OF_TENANT, ("bucket", AutocompleteSelectFilter))
    list_filter_submit = True
    search_fields = ("key__startswith", "=etag")
    search_help_text = "The beginning of a key, or an ETag"
    fields: Any = (
        "tenant",
        "bucket",
        "key",
        "size",
        "etag",
        "content_type",
        "metadata",
        "headers",
        "checksums",
        "version_id",
        "tags",
        "lock",
        "sealed",
        "last_modified",
        "writer",
        "place",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Object]:
        return super().get_queryset(request).defer("inline")

    @display(description="Sealed")
    def sealed(self, row: Object | ObjectVersion) -> str:
        return (row.sse or {}).get("mode", "no")

    @display(description="Lies")
    def place(self, row: Object | ObjectVersion) -> str:
        if row.blob:
            return f"blob {row.blob}"
        backend = row.bucket.placement.backend
        return f"on {backend.name}" if backend_providers.is_remote(backend) else "in its row"

    @display(description="Size", ordering="size")
    def held(self, row: Object | ObjectVersion) -> str:
        return size(row.size)


@admin.register(ObjectVersion)
class ObjectVersionAdmin(ObjectAdmin):
    list_display = (
        "key", "version_id", "bucket", "tenant", "held", "is_delete_marker", "noncurrent_since", "writer",
        "last_modified",
    )  # fmt: skip
    list_filter = (*ObjectAdmin.list_filter, "is_delete_marker")
    fields = (*ObjectAdmin.fields, "is_delete_marker", "noncurrent_since")


@admin.register(Usage)
class UsageAdmin(ReadOnlyAdmin):
    list_display = ("tenant", "held", "objects_count", "uploading")
    list_select_related = ("tenant",)
    search_fields = ("tenant__slug",)
    ordering = ("-bytes",)

    @display(description="Bytes", ordering="bytes")
    def held(self, row: Usage) -> str:
        return size(row.bytes)

    @display(description="In unfinished uploads", ordering="upload_bytes")
    def uploading(self, row: Usage) -> str:
        return size(row.upload_bytes)
