"""The audit log and its seals in the admin: to be found, looked at and verified."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils.html import format_html
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter
from unfold.contrib.filters.admin.text_filters import TextFilter
from unfold.decorators import action, display

from gateway.admin_verbs import LogAdmin, actor
from gateway.errors import DomainError
from gateway.templatetags.ui import pretty
from tenants.models import AuditEntry, AuditSeal, Tenant
from tenants.services.audit import chain, filters, verification

OF_TENANT = ("tenant", AutocompleteSelectFilter)


class _Words(TextFilter):
    """One of `filters.Filters`, as a field to fill in."""

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return filters.parse_form({self.parameter_name: value}).apply(rows) if value else rows


def _by(name: str, label: str) -> type[_Words]:
    return type(f"By{name.title()}", (_Words,), {"title": label, "parameter_name": name})


@admin.register(AuditEntry)
class AuditEntryAdmin(LogAdmin):
    list_display = ("action", "target", "actor", "credential", "ip", "tenant", "at")
    list_select_related = ("tenant",)
    list_filter = (
        OF_TENANT,
        ("at", RangeDateTimeFilter),
        _by("actor", "who"),
        _by("action", "beginning of the action"),
        _by("target", "beginning of the target"),
        _by("credential", "credential: a kind, or kind:id"),
        _by("ip", "address or network"),
        _by("request_id", "request"),
    )
    list_filter_submit = True
    search_fields = ("target", "actor", "action", "=request_id", "before", "after")
    search_help_text = "Anywhere in who, the action, the target and what changed, or a request's id"
    fields = (
        "action",
        "target",
        "actor",
        "credential",
        "ip",
        "tenant",
        "at",
        "request_id",
        "was",
        "became",
    )
    readonly_fields = ("was", "became")
    actions_detail: ClassVar[Any] = ("as_json",)

    # The theme's own way with JSON colours it by style attributes, which the content security policy refuses.
    @display(description="Before")
    def was(self, row: AuditEntry) -> str:
        return format_html("<pre>{}</pre>", pretty(row.before))

    @display(description="After")
    def became(self, row: AuditEntry) -> str:
        return format_html("<pre>{}</pre>", pretty(row.after))

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return filters.parse_form({"q": search_term}).apply(queryset), False

    @action(description="See as JSON", url_path="json")
    def as_json(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The entry as it is hashed and exported."""
        entry = get_object_or_404(AuditEntry, pk=object_id)
        return JsonResponse(chain.entry_record(entry), json_dumps_params={"indent": 2, "ensure_ascii": False})


@admin.register(AuditSeal)
class AuditSealAdmin(LogAdmin):
    list_display = ("number", "tenant", "count", "short_hash", "kept_from", "sealed_at")
    list_select_related = ("tenant",)
    list_filter = (OF_TENANT, ("sealed_at", RangeDateTimeFilter))
    list_filter_submit = True
    search_fields = ("=hash", "tenant__slug")
    search_help_text = "A whole hash, or a tenant"
    fields = (
        "tenant",
        "number",
        "count",
        "sealed_at",
        "root",
        "previous",
        "hash",
        "mac",
        "mac_key",
        "kept_from",
        "drained",
    )
    actions = ("verify",)
    actions_detail: ClassVar[Any] = ("as_json",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditSeal]:
        return super().get_queryset(request).defer("digests", "entry_ids")

    @display(description="Hash")
    def short_hash(self, row: AuditSeal) -> str:
        return row.hash[:16]

    @admin.action(description="Verify the chains of their tenants")
    def verify(self, request: HttpRequest, rows: QuerySet[AuditSeal]) -> None:
        for tenant in Tenant.objects.filter(pk__in=rows.order_by().values("tenant")).order_by("slug"):
            try:
                verdict = verification.look(actor=actor(request, tenant))
            except DomainError as error:
                self.message_user(request, f"{tenant}: {error.detail}", messages.ERROR)
                continue
            if verdict.is_sound:
                text = f"{tenant}: sound, {verdict.seals} seals, {verdict.entries} entries looked at."
                self.message_user(request, text, messages.SUCCESS)
            for finding in verdict.findings:
                self.message_user(request, f"{tenant}: {finding.detail}", messages.ERROR)

    @action(description="See as JSON", url_path="json")
    def as_json(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The seal as it is hashed, with its hash."""
        seal = get_object_or_404(AuditSeal.objects.select_related("tenant"), pk=object_id)
        shown = {**chain.seal_record(seal), "hash": seal.hash, "mac": seal.mac, "mac_key": seal.mac_key}
        return JsonResponse(shown, json_dumps_params={"indent": 2})
