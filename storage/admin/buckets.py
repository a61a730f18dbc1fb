"""Buckets and their places in the admin."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from gateway.admin_json import as_json
from gateway.admin_verbs import ReadOnlyAdmin, VerbAdmin, actor
from gateway.errors import Conflict
from gateway.templatetags.ui import size
from storage.models import Backend, Bucket, Placement
from storage.services import bucket_usage, buckets, decisions, far, placements

from .shown import OF_TENANT, STATE


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
    list_display = (
        "name",
        "tenant",
        "backend",
        "state",
        "held",
        "versioning",
        "opened",
        "created_by",
        "created_at",
    )
    list_select_related = ("tenant", "placement__backend", "usage")
    list_filter = (
        OF_TENANT,
        ("placement__backend", AutocompleteSelectFilter),
        "versioning",
        "object_lock",
        "encryption",
    )
    list_filter_submit = True
    search_fields = ("name", "tenant__slug")
    autocomplete_fields = ("tenant",)
    fields = (
        "tenant",
        "name",
        "backend",
        "state",
        "held",
        "quota_bytes",
        "quota_objects",
        "versioning",
        "object_lock",
        "default_retention",
        "encryption",
        "opened",
        "public_name",
        "policy_",
        "public_access_block",
        "cors",
        "lifecycle",
        "lifecycle_at",
        "tags",
        "notifications",
        "created_by",
        "created_at",
    )
    readonly_fields = fields[3:]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fields if obj else ("tenant", "name", "backend")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "backend") if obj else ()

    @display(description="Holds")
    def held(self, row: Bucket) -> str:
        held = bucket_usage.of(row)
        return f"{size(held.bytes)} in {held.objects_count}"

    @display(description="Open to", label={"everybody": "warning", "other tenants": "warning"})
    def opened(self, row: Bucket) -> str:
        if decisions.is_public(row):
            return "everybody"
        return "other tenants" if row.public_name else "its tenant"

    @display(description="Policy")
    def policy_(self, row: Bucket) -> str:
        return as_json(json.loads(row.policy)) if row.policy else "none"

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
        "scanned_at",
        "scan_after",
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
            with far.place(row.tenant_id, row.backend_id):
                after = placements.reconcile(row.pk)
            if after is not None and not after.is_settled:
                raise Conflict(after.error or "Not settled yet.")

        self.each(request, rows, settle, "settled")
