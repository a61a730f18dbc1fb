"""Tenants, domains and limits in the admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action, display

from gateway.admin_verbs import ReadOnlyInline, VerbAdmin, actor
from gateway.db.scope import platform_scope
from gateway.errors import DomainError
from gateway.templatetags.ui import share, size, tightness
from tenants.api.serializers.tenants import TenantSerializer
from tenants.forms.admin_tenants import TenantForm
from tenants.models import Domain, Membership, Quota, Tenant
from tenants.services import counts, deletion, domains, quotas, settings, tenants, usage

STATUS = {"active": "success", "suspended": "warning", "deleted": "danger", "purged": "info"}
_EDITED = (Tenant.Status.ACTIVE, Tenant.Status.SUSPENDED)


class DomainInline(ReadOnlyInline):
    model = Domain
    fields = ("hostname", "method", "verified_at", "checked_at", "check_error")
    readonly_fields = fields


class MemberInline(ReadOnlyInline):
    model = Membership
    fields = ("user", "role", "is_active", "created_at")
    readonly_fields = ("created_at",)


@admin.register(Tenant)
class TenantAdmin(VerbAdmin):
    can_add = can_change = True
    form = TenantForm
    list_display = ("name", "slug", "state", "members", "created_at", "purge_at")
    list_filter = ("status",)
    search_fields = ("name", "slug")
    inlines = (DomainInline, MemberInline)
    actions = ("suspend", "activate", "delete_softly", "restore", "recount")
    actions_detail: ClassVar[Any] = ("as_json", "purge_now")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        counted = Count("memberships", filter=Q(memberships__is_active=True))
        return super().get_queryset(request).annotate(member_count=counted)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None and obj.status == Tenant.Status.PURGED:
            return ((None, {"fields": ("public_id", "slug", "state", "deleted_at", "purge_at")}),)
        named: tuple[str, ...] = ("name", "slug", "status") if obj else ("name", "slug", "domain")
        if obj is not None and obj.status == Tenant.Status.DELETED:
            named = ("name", "slug", "state", "deleted_at", "purge_at", "purge_error")
            return ((None, {"fields": named}), ("Usage", {"fields": ("used",)}))
        limits = ("used", *quotas.LIMITS) if obj else quotas.LIMITS
        rates = tuple(name for name in settings.FIELDS if name.endswith("_rate"))
        others = tuple(name for name in settings.FIELDS if name not in rates)
        return (
            (None, {"fields": named}),
            ("Limits", {"fields": limits}),
            ("Settings", {"fields": others}),
            ("Rates", {"fields": rates}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        known = ("public_id", "state", "deleted_at", "purge_at", "purge_error", "used")
        return ("slug", *known) if obj else known

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.inlines if obj and obj.status != Tenant.Status.PURGED else ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.status in _EDITED)

    @display(description="Status", ordering="status", label=STATUS)
    def state(self, row: Tenant) -> str:
        return row.status

    @display(description="Members", ordering="member_count")
    def members(self, row: Any) -> int:
        return row.member_count

    @display(description="Used now")
    def used(self, row: Tenant) -> str:
        """A bar for each limit, and the bare number where there is none."""
        found, most = usage.of_tenant(row.pk), counts.limits(row.pk)
        rows = ((_label(name), _bar(name, found, most)) for name in found)
        return format_html("<dl class='usage'>{}</dl>", format_html_join("", "<dt>{}</dt><dd>{}</dd>", rows))

    def create(self, row: Tenant, values: dict[str, Any], request: HttpRequest) -> Tenant:
        return tenants.create_tenant(
            values["name"],
            values["slug"],
            hostnames=[values["domain"]] if values["domain"] else [],
            limits={name: values[name] for name in quotas.LIMITS},
            tenant_settings={name: values[name] for name in settings.FIELDS},
            actor=actor(request),
        )

    def change(self, row: Tenant, values: dict[str, Any], request: HttpRequest) -> None:
        limits = {name: values[name] for name in quotas.LIMITS}
        tenants.update_tenant(
            row, name=values["name"], status=values["status"], limits=limits, actor=actor(request)
        )
        settings.change(row, {name: values[name] for name in settings.FIELDS}, actor=actor(request))

    @admin.action(description="Suspend: all its requests are refused")
    def suspend(self, request: HttpRequest, rows: QuerySet[Tenant]) -> None:
        self._to(Tenant.Status.SUSPENDED, request, rows, "suspended")

    @admin.action(description="Activate")
    def activate(self, request: HttpRequest, rows: QuerySet[Tenant]) -> None:
        self._to(Tenant.Status.ACTIVE, request, rows, "activated")

    def _to(self, status: str, request: HttpRequest, rows: QuerySet[Tenant], done: str) -> None:
        self.each(
            request, rows, lambda row: tenants.update_tenant(row, status=status, actor=actor(request)), done
        )

    @admin.action(description="Delete: refused and hidden at once, purged after the grace")
    def delete_softly(self, request: HttpRequest, rows: QuerySet[Tenant]) -> None:
        self.each(request, rows, lambda row: deletion.delete_tenant(row, actor=actor(request)), "deleted")

    @admin.action(description="Restore from deletion")
    def restore(self, request: HttpRequest, rows: QuerySet[Tenant]) -> None:
        self.each(request, rows, lambda row: deletion.restore_tenant(row, actor=actor(request)), "restored")

    @admin.action(description="Recount what is stored")
    def recount(self, request: HttpRequest, rows: QuerySet[Tenant]) -> None:
        self.each(request, rows, lambda row: usage.recount(row, actor=actor(request)), "recounted")

    @action(description="See as JSON", url_path="json")
    def as_json(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """As the API shows it, with domains, limits, settings and usage."""
        tenant = get_object_or_404(Tenant, pk=object_id)
        limits = counts.limits(tenant.pk)
        shown = {
            **TenantSerializer(tenant).data,
            "domains": list(tenant.domains.values("hostname", "method", "verified_at", "check_error")),
            "limits": {name: getattr(limits, name) for name in quotas.LIMITS},
            "usage": usage.of_tenant(tenant.pk),
            "settings": {name: getattr(settings.of_tenant(tenant), name) for name in settings.FIELDS},
        }
        return JsonResponse(shown, json_dumps_params={"indent": 2, "ensure_ascii": False})

    @action(description="Purge now…", url_path="purge")
    def purge_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for the slug first: nothing brings a purged tenant back."""
        with platform_scope("staff purge any tenant"):
            tenant = get_object_or_404(Tenant, pk=object_id)
        back = reverse("admin:tenants_tenant_change", args=[tenant.pk])
        context: dict[str, Any] = {**self.admin_site.each_context(request), "tenant": tenant, "back": back}
        if request.method == "POST":
            try:
                deletion.purge_now(tenant, request.POST.get("slug", ""), actor=actor(request))
            except DomainError as error:
                context["error"] = error.detail
            else:
                self.message_user(request, f"{tenant.slug} is being purged.")
                return HttpResponseRedirect(back)
        context["title"] = f"Purge {tenant.slug}"
        return render(request, "admin/purge_tenant.html", context, status=422 if "error" in context else 200)


def _label(name: str) -> str:
    field = TenantForm.base_fields.get(name)
    return str(field.label) if field is not None else name.capitalize()


def _bar(name: str, found: dict[str, int], most: Quota) -> str:
    used, limit = found[name], getattr(most, name, None)
    shown: Callable[[int], object] = size if name == "storage_bytes" else str
    if limit is None:
        return str(shown(used))
    percent = share(used, limit)
    return format_html(
        '<progress class="{}" max="100" value="{}" aria-label="{}">{} %</progress> {} of {}',
        tightness(percent), percent, _label(name), percent, shown(used), shown(limit),
    )  # fmt: skip


@admin.register(Domain)
class DomainAdmin(VerbAdmin):
    can_add = can_delete = True
    list_display = ("hostname", "tenant", "state_", "method", "checked_at", "check_error")
    list_select_related = ("tenant",)
    list_filter = ("method", ("tenant", AutocompleteSelectFilter))
    list_filter_submit = True
    search_fields = ("hostname", "tenant__slug")
    autocomplete_fields = ("tenant",)
    actions = ("vouch", "look")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        checked = ("state_", "method", "verified_at", "checked_at", "check_error", "next_check_at", "lost_at")
        return ("tenant", "hostname", *checked) if obj else ("tenant", "hostname")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.get_fields(request, obj) if obj else ()

    @display(description="State", label={"verified": "success", "failing": "danger", "pending": "warning"})
    def state_(self, row: Domain) -> str:
        return row.state

    def create(self, row: Domain, values: dict[str, Any], request: HttpRequest) -> Domain:
        return domains.add_domain(values["tenant"], values["hostname"], actor=actor(request))

    def remove(self, row: Domain, request: HttpRequest) -> None:
        domains.remove_domain(row, actor=actor(request))

    @admin.action(description="Vouch: verified without a proof")
    def vouch(self, request: HttpRequest, rows: QuerySet[Domain]) -> None:
        self.each(request, rows, lambda row: domains.vouch(row, actor=actor(request)), "verified")

    @admin.action(description="Look for the proof now")
    def look(self, request: HttpRequest, rows: QuerySet[Domain]) -> None:
        self.each(request, rows, lambda row: domains.ask_check(row, actor=actor(request)), "being looked at")


@admin.register(Quota)
class QuotaAdmin(VerbAdmin):
    can_change = True
    list_display = ("tenant", *quotas.LIMITS)
    list_select_related = ("tenant",)
    search_fields = ("tenant__slug", "tenant__name")
    fields = ("tenant", *quotas.LIMITS)
    readonly_fields = ("tenant",)

    def change(self, row: Quota, values: dict[str, Any], request: HttpRequest) -> None:
        limits = {name: values[name] for name in quotas.LIMITS}
        tenants.update_tenant(row.tenant, limits=limits, actor=actor(request))
