"""Backends, buckets and keys in the admin; what the data plane writes, to be looked at."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget, UnfoldAdminURLInputWidget

from gateway.admin_verbs import LogAdmin, ReadOnlyAdmin, VerbAdmin, actor
from gateway.errors import Conflict

from . import providers
from .models import (
    AccessKey,
    Backend,
    BlobGarbage,
    Bucket,
    Object,
    Placement,
    Upload,
    UploadPart,
    Usage,
    WriteIntent,
)
from .services import access_keys, backends, buckets, placements

OF_TENANT = ("tenant", AutocompleteSelectFilter)
STATE = {
    "works": "success",
    "ready": "success",
    "failing": "danger",
    "pending": "warning",
    "revoked": "danger",
}


class BackendForm(forms.ModelForm):  # type: ignore[type-arg]
    """The secret goes in and never comes out."""

    kind = forms.ChoiceField(widget=UnfoldAdminSelectWidget, initial="s3")
    endpoint = forms.URLField(
        required=False,
        assume_scheme="https",
        help_text="https://host[:port]; empty for AWS itself.",
        widget=UnfoldAdminURLInputWidget,
    )
    secret_key = forms.CharField(
        required=False,
        strip=False,
        help_text="Left empty, it stays as it is.",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )

    class Meta:
        model = Backend
        fields = (
            "tenant",
            "name",
            "kind",
            "is_default",
            "endpoint",
            "region",
            "access_key",
            "path_style",
            "checksum_mode",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "kind" in self.fields:
            self.fields["kind"].choices = [(kind, kind) for kind in providers.KINDS]  # type: ignore[attr-defined]


@admin.register(Backend)
class BackendAdmin(VerbAdmin):
    can_add = can_change = can_delete = True
    form = BackendForm
    list_display = ("name", "kind", "owner", "is_default", "endpoint", "buckets", "state", "checked_at")
    list_select_related = ("tenant",)
    list_filter = ("kind", "is_default", OF_TENANT)
    list_filter_submit = True
    search_fields = ("name", "endpoint", "tenant__slug")
    autocomplete_fields = ("tenant",)
    fieldsets = (
        (None, {"fields": ("tenant", "name", "kind", "is_default")}),
        (
            "Connection",
            {"fields": ("endpoint", "region", "access_key", "secret_key", "path_style", "checksum_mode")},
        ),
        ("Last test", {"fields": ("checked_at", "check_error")}),
    )
    actions = ("test",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Backend]:
        return super().get_queryset(request).annotate(bucket_count=Count("placements"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        tested = ("checked_at", "check_error")
        return ("tenant", "kind", *tested) if obj else tested

    @display(description="Tenant", ordering="tenant__slug")
    def owner(self, row: Backend) -> str:
        return str(row.tenant) if row.tenant else "shared by all"

    @display(description="Placements", ordering="bucket_count")
    def buckets(self, row: Any) -> int:
        return row.bucket_count

    @display(description="State", label=STATE)
    def state(self, row: Backend) -> str:
        if row.checked_at is None:
            return "not tested"
        return "failing" if row.check_error else "works"

    def create(self, row: Backend, values: dict[str, Any], request: HttpRequest) -> Backend:
        return backends.create_backend(
            values["name"],
            values["kind"],
            secret_key=values["secret_key"],
            shared=values["tenant"] is None,
            is_default=values["is_default"],
            actor=actor(request, values["tenant"]),
            **{name: values[name] for name in backends.CONNECTION_FIELDS},
        )

    def change(self, row: Backend, values: dict[str, Any], request: HttpRequest) -> None:
        changes = {name: values[name] for name in ("name", "is_default", *backends.CONNECTION_FIELDS)}
        backends.update_backend(
            row, secret_key=values["secret_key"] or None, actor=actor(request, row.tenant), **changes
        )

    def remove(self, row: Backend, request: HttpRequest) -> None:
        backends.delete_backend(row, actor=actor(request, row.tenant))

    @admin.action(description="Test the connection")
    def test(self, request: HttpRequest, rows: QuerySet[Backend]) -> None:
        def try_out(row: Backend) -> None:
            tested = backends.check_backend(row, actor=actor(request, row.tenant))
            if tested.check_error:
                raise Conflict(tested.check_error)

        self.each(request, rows.select_related("tenant"), try_out, "answered")


class BucketForm(forms.ModelForm):  # type: ignore[type-arg]
    backend = forms.ModelChoiceField(
        Backend.objects.none(),
        required=False,
        help_text="Empty: the tenant's default, else the platform's.",
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = Bucket
        fields = ("tenant", "name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "backend" in self.fields:
            self.fields["backend"].queryset = Backend.objects.all()  # type: ignore[attr-defined]


@admin.register(Bucket)
class BucketAdmin(VerbAdmin):
    can_add = can_delete = True
    form = BucketForm
    list_display = ("name", "tenant", "backend", "state", "created_by", "created_at")
    list_select_related = ("tenant", "placement__backend")
    list_filter = (OF_TENANT, ("placement__backend", AutocompleteSelectFilter))
    list_filter_submit = True
    search_fields = ("name", "tenant__slug")
    autocomplete_fields = ("tenant",)
    fields = ("tenant", "name", "backend", "state", "created_by", "created_at")
    readonly_fields = ("state", "created_by", "created_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fields if obj else ("tenant", "name", "backend")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "backend") if obj else ()

    @display(description="Backend", ordering="placement__backend__name")
    def backend(self, row: Bucket) -> str:
        return row.placement.backend.name

    @display(description="State", label=STATE)
    def state(self, row: Bucket) -> str:
        if row.placement.is_settled:
            return "ready"
        return "failing" if row.placement.error else "pending"

    def create(self, row: Bucket, values: dict[str, Any], request: HttpRequest) -> Bucket:
        backend = values["backend"]
        return buckets.create_bucket(
            values["name"], backend=backend.name if backend else None, actor=actor(request, values["tenant"])
        )

    def remove(self, row: Bucket, request: HttpRequest) -> None:
        buckets.delete_bucket(row, actor=actor(request, row.tenant))


@admin.register(Placement)
class PlacementAdmin(ReadOnlyAdmin):
    list_display = ("backend_bucket", "bucket", "backend", "tenant", "state", "attempts", "next_attempt_at")
    list_select_related = ("bucket", "backend", "tenant")
    list_filter = (OF_TENANT, ("backend", AutocompleteSelectFilter), "desired_state", "observed_state")
    list_filter_submit = True
    search_fields = ("backend_bucket", "bucket__name", "tenant__slug")
    fields = (
        "tenant",
        "bucket",
        "backend",
        "backend_bucket",
        "desired_state",
        "observed_state",
        "attempts",
        "next_attempt_at",
        "error",
    )
    actions = ("reconcile",)

    @display(description="State", label=STATE)
    def state(self, row: Placement) -> str:
        if row.is_settled:
            return "ready"
        return "failing" if row.error else "pending"

    @admin.action(description="Reconcile now")
    def reconcile(self, request: HttpRequest, rows: QuerySet[Placement]) -> None:
        def settle(row: Placement) -> None:
            after = placements.reconcile(row.pk)
            if after is not None and not after.is_settled:
                raise Conflict(after.error or "Not settled yet.")

        self.each(request, rows, settle, "settled")


@admin.register(AccessKey)
class AccessKeyAdmin(ReadOnlyAdmin):
    """Made in the user interface, where the secret is shown once; here they are found and revoked."""

    list_display = ("name", "access_key_id", "user", "tenant", "state", "is_internal", "created_at")
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
        "is_internal",
        "created_at",
        "revoked_at",
    )
    actions = ("revoke",)

    @display(description="State", label=STATE)
    def state(self, row: AccessKey) -> str:
        return "revoked" if row.revoked_at else "works"

    @admin.action(description="Revoke: whatever uses them is refused at once")
    def revoke(self, request: HttpRequest, rows: QuerySet[AccessKey]) -> None:
        self.each_in_tenant(request, rows.select_related("tenant"), access_keys.revoke_access_key, "revoked")


@admin.register(Object)
class ObjectAdmin(LogAdmin):
    list_display = ("key", "bucket", "tenant", "size", "content_type", "place", "writer", "last_modified")
    list_select_related = ("bucket", "tenant")
    list_filter = (OF_TENANT, ("bucket", AutocompleteSelectFilter))
    list_filter_submit = True
    search_fields = ("key__startswith", "=etag")
    search_help_text = "The beginning of a key, or an ETag"
    fields = (
        "tenant",
        "bucket",
        "key",
        "size",
        "etag",
        "content_type",
        "metadata",
        "headers",
        "checksums",
        "last_modified",
        "writer",
        "place",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Object]:
        return super().get_queryset(request).defer("inline")

    @display(description="Lies")
    def place(self, row: Object) -> str:
        return f"blob {row.blob}" if row.blob else "in the index or on the backend"


@admin.register(Usage)
class UsageAdmin(ReadOnlyAdmin):
    list_display = ("tenant", "bytes", "objects_count", "upload_bytes")
    list_select_related = ("tenant",)
    search_fields = ("tenant__slug",)
    ordering = ("-bytes",)


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
