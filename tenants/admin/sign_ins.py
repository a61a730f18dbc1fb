"""Sign-ins and second factors in the admin: looked at and ended."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from gateway.admin_verbs import LogAdmin, ReadOnlyAdmin, actor
from tenants.models import SecondFactor, SignIn, User
from tenants.services import sign_ins
from tenants.services.second_factors import factors


@admin.register(SignIn)
class SignInAdmin(LogAdmin):
    """Where people are signed in, and were in the last 90 days."""

    list_display = ("user", "kind", "state", "ip", "second_factor", "created_at", "last_seen_at")
    list_select_related = ("user",)
    list_filter = (
        ("user", AutocompleteSelectFilter),
        "kind",
        ("ended_at", admin.EmptyFieldListFilter),
        "reason",
        "second_factor",
    )
    list_filter_submit = True
    search_fields = ("user__username", "user__email", "ip")
    fields = (
        "user",
        "kind",
        "ip",
        "user_agent",
        "second_factor",
        "created_at",
        "last_seen_at",
        "confirmed_at",
        "ended_at",
        "reason",
    )
    actions = ("end",)

    @display(description="State", label={"signed in": "success", "ended": "danger"})
    def state(self, row: SignIn) -> str:
        return "signed in" if row.ended_at is None else "ended"

    @admin.action(description="End: sessions and tokens are refused at once")
    def end(self, request: HttpRequest, rows: QuerySet[SignIn]) -> None:
        chosen = rows.filter(ended_at=None).select_related("user")
        reason = SignIn.Reason.ENDED_BY_STAFF
        self.each(request, chosen, lambda row: sign_ins.end(row, reason, actor=actor(request)), "ended")


@admin.register(SecondFactor)
class SecondFactorAdmin(ReadOnlyAdmin):
    """Who has which; taken away with the action of the user."""

    list_display = ("user", "kind", "name", "created_at", "confirmed_at", "last_used_at")
    list_select_related = ("user",)
    list_filter = (("user", AutocompleteSelectFilter), "kind", ("confirmed_at", admin.EmptyFieldListFilter))
    list_filter_submit = True
    search_fields = ("user__username", "user__email", "name")
    fields = ("user", "kind", "name", "created_at", "confirmed_at", "last_used_at")


class SigningInActions:
    """Actions of the list of people. Mixed into their admin."""

    @admin.action(description="Sign out everywhere")
    def sign_out_everywhere(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        self.each(  # type: ignore[attr-defined]
            request, rows, lambda row: sign_ins.sign_out_everywhere(row, actor=actor(request)), "signed out"
        )

    @admin.action(description="Reset second factor: they sign in with the password alone, and set up another")
    def reset_second_factor(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        self.each(  # type: ignore[attr-defined]
            request, rows, lambda row: factors.reset(row, actor=actor(request)), "reset"
        )
