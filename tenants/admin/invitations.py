"""Invitations, and the e-mails that wait or went, in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from gateway.admin_verbs import LogAdmin, VerbAdmin, actor
from tenants.api.serializers.people import InvitationSerializer
from tenants.models import Invitation, Mail
from tenants.services import invitations, mail

from .people import ROLE_HELP

_STATES = {"pending": "info", "accepted": "success", "expired": "warning", "revoked": "danger"}


class InvitationForm(forms.ModelForm):  # type: ignore[type-arg]
    offered = forms.CharField(
        label="Role", initial="member", help_text=ROLE_HELP, widget=UnfoldAdminTextInputWidget
    )

    class Meta:
        model = Invitation
        fields = ("tenant", "email", "name")


@admin.register(Invitation)
class InvitationAdmin(VerbAdmin):
    """The token is in the mail alone."""

    can_add = True
    list_display = ("email", "tenant", "role", "state_", "invited_by", "created_at", "expires_at")
    list_select_related = ("tenant", "role")
    list_filter = (
        ("tenant", AutocompleteSelectFilter),
        ("accepted_at", admin.EmptyFieldListFilter),
        ("revoked_at", admin.EmptyFieldListFilter),
    )
    list_filter_submit = True
    search_fields = ("email", "tenant__slug", "invited_by", "accepted_by")
    autocomplete_fields = ("tenant",)
    actions = ("send_again", "revoke")
    actions_detail = ("as_json",)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = InvitationForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        asked = ("tenant", "email", "name")
        dates = (
            "state_",
            "invited_by",
            "created_at",
            "expires_at",
            "accepted_at",
            "accepted_by",
            "revoked_at",
        )
        return (*asked, "role", *dates) if obj else (*asked, "offered")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.get_fields(request, obj) if obj else ()

    @display(description="State", label=_STATES)
    def state_(self, row: Invitation) -> str:
        return row.state

    def create(self, row: Invitation, values: dict[str, Any], request: HttpRequest) -> Invitation:
        tenant = values["tenant"]
        return invitations.invite(
            tenant, values["email"], role=values["offered"], name=values["name"], actor=actor(request, tenant)
        )

    @admin.action(description="Send again: a new link, the one before ends")
    def send_again(self, request: HttpRequest, rows: QuerySet[Invitation]) -> None:
        chosen = rows.select_related("tenant")
        self.each_in_tenant(request, chosen, invitations.resend, "on their way")

    @admin.action(description="Take back")
    def revoke(self, request: HttpRequest, rows: QuerySet[Invitation]) -> None:
        chosen = rows.select_related("tenant")
        self.each_in_tenant(request, chosen, invitations.revoke, "taken back")

    @action(description="See as JSON", url_path="json")
    def as_json(self, request: HttpRequest, object_id: str) -> HttpResponse:
        shown = InvitationSerializer(get_object_or_404(Invitation, pk=object_id)).data
        return JsonResponse(shown, json_dumps_params={"indent": 2, "ensure_ascii": False})


@admin.register(Mail)
class MailAdmin(LogAdmin):
    """The outbox: what waits, and for a month what was sent or given up. Bodies are nobody's to read."""

    list_display = ("created_at", "kind", "recipient", "subject", "state_", "attempts", "error")
    list_filter = ("kind", ("sent_at", admin.EmptyFieldListFilter), ("error", admin.EmptyFieldListFilter))
    list_filter_submit = True
    search_fields = ("recipient",)
    fields = (
        "kind",
        "recipient",
        "subject",
        "state_",
        "created_at",
        "attempts",
        "next_attempt_at",
        "sent_at",
        "expires_at",
        "error",
    )
    actions = ("send_now",)

    @display(description="State", label={"sent": "success", "waiting": "info", "given up": "danger"})
    def state_(self, row: Mail) -> str:
        return row.state

    @admin.action(description="Send now what waits")
    def send_now(self, request: HttpRequest, rows: QuerySet[Mail]) -> None:
        self.each(request, rows.filter(next_attempt_at__isnull=False), mail.send_again, "on their way")
