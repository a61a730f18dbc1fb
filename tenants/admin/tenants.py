"""Tenants, domains and limits in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from gateway.admin_verbs import ReadOnlyInline, VerbAdmin, actor
from tenants.models import Domain, Membership, Quota, Tenant
from tenants.services import domains, quotas, tenants


class DomainInline(ReadOnlyInline):
    model = Domain
    fields = ("hostname", "created_at")
    readonly_fields = ("created_at",)


class MemberInline(ReadOnlyInline):
    model = Membership
    fields = ("user", "role", "is_active", "created_at")
    readonly_fields = ("created_at",)


@admin.register(Tenant)
class TenantAdmin(VerbAdmin):
    can_add = can_change = True
    list_display = ("name", "slug", "state", "members", "created_at")
    list_filter = ("status",)
    search_fields = ("name", "slug")
    fields = ("name", "slug", "status")
    inlines = (DomainInline, MemberInline)
    actions = ("suspend", "activate")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        counted = Count("memberships", filter=Q(memberships__is_active=True))
        return super().get_queryset(request).annotate(member_count=counted)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ("status",)

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.inlines if obj else ()

    @display(description="Status", ordering="status", label={"active": "success", "suspended": "danger"})
    def state(self, row: Tenant) -> str:
        return row.status

    @display(description="Members", ordering="member_count")
    def members(self, row: Any) -> int:
        return row.member_count

    def create(self, row: Tenant, values: dict[str, Any], request: HttpRequest) -> Tenant:
        return tenants.create_tenant(values["name"], values["slug"], actor=actor(request))

    def change(self, row: Tenant, values: dict[str, Any], request: HttpRequest) -> None:
        tenants.update_tenant(row, name=values["name"], status=values["status"], actor=actor(request))

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


@admin.register(Domain)
class DomainAdmin(VerbAdmin):
    can_add = can_delete = True
    list_display = ("hostname", "tenant", "created_at")
    list_select_related = ("tenant",)
    list_filter = (("tenant", AutocompleteSelectFilter),)
    list_filter_submit = True
    search_fields = ("hostname", "tenant__slug")
    fields = ("tenant", "hostname")
    autocomplete_fields = ("tenant",)

    def create(self, row: Domain, values: dict[str, Any], request: HttpRequest) -> Domain:
        return domains.add_domain(values["tenant"], values["hostname"], actor=actor(request))

    def remove(self, row: Domain, request: HttpRequest) -> None:
        domains.remove_domain(row, actor=actor(request))


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
