"""Backends in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget, UnfoldAdminURLInputWidget

from gateway.admin_json import as_json
from gateway.admin_verbs import VerbAdmin, actor
from gateway.errors import Conflict
from storage import providers
from storage.models import Backend
from storage.services import backend_providers, backends

from .shown import OF_TENANT, STATE


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
        fields = ("tenant", "name", "kind", "is_default", *backend_providers.CONNECTION_FIELDS)

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
            {
                "fields": (
                    "endpoint",
                    "region",
                    "access_key",
                    "secret_key",
                    "path_style",
                    "checksum_mode",
                    "vendor",
                    "ca_bundle",
                )
            },
        ),
        ("Last test", {"fields": ("checked_at", "check_error", "abilities")}),
    )
    actions = ("test",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Backend]:
        return super().get_queryset(request).annotate(bucket_count=Count("placements"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        tested = ("checked_at", "check_error", "abilities")
        return ("tenant", "kind", *tested) if obj else tested

    @display(description="Tenant", ordering="tenant__slug")
    def owner(self, row: Backend) -> str:
        return str(row.tenant) if row.tenant else "shared by all"

    @display(description="What it can")
    def abilities(self, row: Backend) -> str:
        return as_json(row.capabilities) if row.capabilities else "not known: test it"

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
            **{name: values[name] for name in backend_providers.CONNECTION_FIELDS},
        )

    def change(self, row: Backend, values: dict[str, Any], request: HttpRequest) -> None:
        changes = {
            name: values[name] for name in ("name", "is_default", *backend_providers.CONNECTION_FIELDS)
        }
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
