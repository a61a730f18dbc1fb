"""Credentials in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget

from gateway.admin_verbs import ReadOnlyAdmin, actor
from gateway.errors import DomainError
from tenants.api.serializers.credentials import ApiKeySerializer
from tenants.forms.api_keys import OVERLAPS
from tenants.models import ApiKey, SigningKey
from tenants.services import api_keys, signing_keys


class RotateKeyForm(BaseDialogForm):
    overlap = forms.ChoiceField(
        label="The present secret works on for",
        choices=list(OVERLAPS.items()),
        initial="86400",
        widget=UnfoldAdminSelectWidget,
    )

    def clean_overlap(self) -> str:
        """Rotated here, since only a field's error is shown in the dialog."""
        if self.errors:  # not submitted: a rotation whose secret nobody sees would be one too many
            return ""
        key = ApiKey.objects.select_related("user", "tenant").get(pk=self.object_id)
        overlap = timedelta(seconds=int(self.cleaned_data["overlap"]))
        try:
            rotated = api_keys.rotate_key(key, overlap, actor=actor(self.request, key.tenant))
        except DomainError as error:
            raise forms.ValidationError(error.detail) from None
        self.request.rotated = rotated
        return str(self.cleaned_data["overlap"])


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Made in the user interface, where the key is shown once; here they are found, rotated and revoked."""

    list_display = ("name", "prefix", "user", "tenant", "state", "last_used_at", "expires_at", "created_at")
    list_select_related = ("user", "tenant")
    list_filter = (
        ("tenant", AutocompleteSelectFilter),
        "user__kind",
        ("revoked_at", admin.EmptyFieldListFilter),
    )
    list_filter_submit = True
    search_fields = ("name", "prefix", "previous_prefix", "user__username", "tenant__slug")
    fields = (
        "name",
        "prefix",
        "user",
        "tenant",
        "permissions",
        "allowed_networks",
        "created_by",
        "created_at",
        "expires_at",
        "last_used_at",
        "last_used_ip",
        "previous_prefix",
        "previous_until",
        "revoked_at",
    )
    actions = ("revoke",)
    actions_detail = ("rotate", "as_json")

    @display(
        description="State",
        label={"works": "success", "rotating": "info", "revoked": "danger", "expired": "warning"},
    )
    def state(self, row: ApiKey) -> str:
        if row.revoked_at is not None:
            return "revoked"
        if not row.is_live:
            return "expired"
        return "rotating" if row.in_rotation else "works"

    @admin.action(description="Revoke: whatever uses them is refused at once")
    def revoke(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> None:
        chosen = rows.select_related("tenant", "user")
        self.each_in_tenant(request, chosen, api_keys.revoke_key, "revoked")

    @action(
        description="Rotate",
        url_path="rotate",
        permissions=["rotate"],
        dialog={
            "title": "Rotate the key",
            "description": "A service account's key, or your own. The new secret is shown once.",
            "form_class": RotateKeyForm,
            "form_submit_text": "Rotate",
        },
    )
    def rotate(self, request: HttpRequest, form: RotateKeyForm, object_id: str) -> HttpResponse:
        _, text = request.rotated  # type: ignore[attr-defined]
        self.message_user(request, f"Keep it now, it is not shown again: {text}", messages.WARNING)
        return redirect("admin:tenants_apikey_change", object_id)

    def has_rotate_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Nobody rotates another person's key: whoever does sees a secret that acts as them."""
        key = ApiKey.objects.select_related("user", "tenant").filter(pk=object_id).first()
        return key is not None and key.is_live and api_keys.may_rotate(key, actor(request, key.tenant))

    @action(description="See as JSON", url_path="json")
    def as_json(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = ApiKey.objects.select_related("user", "tenant").get(pk=object_id)
        shown = {"tenant": key.tenant.slug, **ApiKeySerializer(key).data}
        return JsonResponse(shown, json_dumps_params={"indent": 2, "ensure_ascii": False})


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnlyAdmin):
    """The pairs that sign tokens under RS256. Their private parts are shown to nobody."""

    list_display = ("kid", "algorithm", "state", "signs_from", "verifies_until", "created_at")
    fields = ("kid", "algorithm", "public_pem", "signs_from", "verifies_until", "created_at")
    actions = ("revoke",)
    actions_list = ("rotate",)

    @display(
        description="State",
        label={"signs": "success", "waits": "info", "verifies": "warning", "ended": "danger"},
    )
    def state(self, row: SigningKey) -> str:
        return signing_keys.state_of(row)

    @action(
        description="Rotate: nobody is signed out",
        url_path="rotate",
        dialog={
            "title": "Rotate the key that signs tokens",
            "description": "Another is published, and signs a few minutes from now.",
            "form_submit_text": "Rotate",
        },
    )
    def rotate(self, request: HttpRequest, form: BaseDialogForm) -> HttpResponse:
        key = signing_keys.rotate(actor=actor(request))
        said = f"{key.kid} is published and signs from {key.signs_from:%Y-%m-%d %H:%M} UTC on."
        self.message_user(request, said, messages.SUCCESS)
        return redirect("admin:tenants_signingkey_changelist")

    @admin.action(description="Revoke: tokens signed with them are refused, and people sign in again")
    def revoke(self, request: HttpRequest, rows: QuerySet[SigningKey]) -> None:
        self.each(request, rows, lambda row: signing_keys.revoke(row, actor=actor(request)), "revoked")
