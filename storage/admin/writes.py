"""Writes under way and what they leave, in the admin."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from gateway.admin_verbs import LogAdmin
from storage.models import BlobGarbage, Upload, UploadPart, WriteIntent

from .shown import OF_TENANT


@admin.register(Upload)
class UploadAdmin(LogAdmin):
    list_display = ("key", "bucket", "tenant", "writer", "initiated_at", "id")
    list_select_related = ("bucket", "tenant")
    list_filter = (OF_TENANT, ("bucket", AutocompleteSelectFilter))
    list_filter_submit = True
    search_fields = ("key__startswith", "=id")
    ordering = ("-initiated_at",)
    fields = (
        "id",
        "tenant",
        "bucket",
        "key",
        "content_type",
        "metadata",
        "headers",
        "initiated_at",
        "writer",
    )


@admin.register(UploadPart)
class UploadPartAdmin(LogAdmin):
    list_display = ("upload", "number", "size", "etag", "tenant", "last_modified")
    list_select_related = ("upload", "tenant")
    list_filter = (OF_TENANT,)
    list_filter_submit = True
    search_fields = ("upload__key__startswith", "=upload__id")
    fields = ("tenant", "upload", "number", "size", "etag", "checksums", "last_modified", "blob")


@admin.register(WriteIntent)
class WriteIntentAdmin(LogAdmin):
    list_display = ("key", "kind", "bucket", "tenant", "size", "writer", "began_at", "next_check_at")
    list_select_related = ("bucket", "tenant")
    list_filter = (OF_TENANT, ("bucket", AutocompleteSelectFilter))
    list_filter_submit = True
    search_fields = ("key__startswith", "=id")
    ordering = ("next_check_at",)


@admin.register(BlobGarbage)
class BlobGarbageAdmin(LogAdmin):
    list_display = ("blob", "tenant", "due_at")
    list_select_related = ("tenant",)
    search_fields = ("=blob",)
    ordering = ("due_at",)
