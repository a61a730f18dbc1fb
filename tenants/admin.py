"""Tenants, people, keys and the audit log in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget

from gateway.admin_verbs import LogAdmin, ReadOnlyAdmin, ReadOnlyInline, VerbAdmin, actor
from gateway.errors import DomainError

from .models import ApiKey, AuditEntry, Domain, Membership, Quota, Role, Tenant, User
from .permissions import BUILTIN_ROLE_CHOICES
from .services import api_keys, passwords, quotas, tenants, users


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
        return tenants.add_domain(values["tenant"], values["hostname"], actor=actor(request))

    def remove(self, row: Domain, request: HttpRequest) -> None:
        tenants.remove_domain(row, actor=actor(request))


class NewUserForm(forms.ModelForm):  # type: ignore[type-arg]
    """A person begins as a member of one tenant."""

    tenant = forms.ModelChoiceField(Tenant.objects.none(), widget=UnfoldAdminSelectWidget)
    role = forms.ChoiceField(choices=BUILTIN_ROLE_CHOICES, initial="member", widget=UnfoldAdminSelectWidget)
    first_password = forms.CharField(
        strip=False, widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
    )

    class Meta:
        model = User
        fields = ("username", "email")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].queryset = Tenant.objects.all()  # type: ignore[attr-defined]


class PasswordForm(BaseDialogForm):
    password = forms.CharField(
        strip=False, widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
    )

    def clean_password(self) -> str:
        """Set here, since only a field's error is shown in the dialog."""
        text: str = self.cleaned_data["password"]
        try:
            passwords.set_password(User.objects.get(pk=self.object_id), text, actor=actor(self.request))
        except DomainError as error:
            raise forms.ValidationError(error.errors.get("password", [error.detail])) from None
        return text


class UserMembershipInline(ReadOnlyInline):
    model = Membership
    fields = ("tenant", "role", "is_active", "is_default", "created_at")
    readonly_fields = ("created_at",)


@admin.register(User)
class UserAdmin(VerbAdmin):
    can_add = True
    list_display = ("username", "email", "active", "is_staff", "last_login", "date_joined")
    list_filter = ("is_active", "is_staff")
    search_fields = ("username", "email", "first_name", "last_name")
    fields = (
        "username",
        "email",
        "first_name",
        "last_name",
        "is_active",
        "is_staff",
        "last_login",
        "date_joined",
    )
    inlines = (UserMembershipInline,)
    actions = ("deactivate", "reactivate")
    actions_detail = ("set_password",)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewUserForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ((None, {"fields": ("username", "email", "first_password", "tenant", "role")}),)
        return super().get_fieldsets(request, obj)

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.inlines if obj else ()

    @display(description="Active", ordering="is_active", label={"yes": "success", "no": "danger"})
    def active(self, row: User) -> str:
        return "yes" if row.is_active else "no"

    def create(self, row: User, values: dict[str, Any], request: HttpRequest) -> User:
        made = users.create_user(
            values["tenant"],
            values["username"],
            email=values["email"],
            password=values["first_password"],
            role=values["role"],
            actor=actor(request, values["tenant"]),
        )
        return made.user

    @admin.action(description="Deactivate in all their tenants")
    def deactivate(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        chosen = Membership.objects.filter(user__in=rows, is_active=True).select_related("tenant", "user")
        self.each(
            request,
            chosen,
            lambda row: users.deactivate_user(row, actor=actor(request, row.tenant)),
            "memberships deactivated",
        )

    @admin.action(description="Reactivate in all their tenants")
    def reactivate(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        chosen = Membership.objects.filter(user__in=rows, is_active=False).select_related("tenant", "user")
        self.each(
            request,
            chosen,
            lambda row: users.reactivate_user(row, actor=actor(request, row.tenant)),
            "memberships reactivated",
        )

    @action(
        description="Set a password",
        url_path="set-password",
        icon="key",
        dialog={
            "title": "Set a password",
            "description": "The person's sessions end. Hand the password over safely.",
            "form_class": PasswordForm,
            "form_submit_text": "Set it",
        },
    )
    def set_password(self, request: HttpRequest, form: PasswordForm, object_id: str) -> HttpResponse:
        self.message_user(request, "The password is set.", messages.SUCCESS)
        return redirect("admin:tenants_user_change", object_id)


@admin.register(Membership)
class MembershipAdmin(VerbAdmin):
    can_change = True
    list_display = ("user", "tenant", "role", "is_active", "is_default", "created_at")
    list_select_related = ("user", "tenant", "role")
    list_filter = (("tenant", AutocompleteSelectFilter), "is_active", "role__slug")
    list_filter_submit = True
    search_fields = ("user__username", "user__email", "tenant__slug")
    fields = ("user", "tenant", "role", "is_active", "is_default", "created_at")
    readonly_fields = ("user", "tenant", "is_active", "is_default", "created_at")
    actions = ("deactivate", "reactivate")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "role" and request.resolver_match and request.resolver_match.kwargs:
            number = request.resolver_match.kwargs["object_id"]
            kwargs["queryset"] = Role.objects.filter(tenant__memberships__pk=number)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def change(self, row: Membership, values: dict[str, Any], request: HttpRequest) -> None:
        users.assign_role(row, values["role"].slug, actor=actor(request, row.tenant))

    @admin.action(description="Deactivate")
    def deactivate(self, request: HttpRequest, rows: QuerySet[Membership]) -> None:
        chosen = rows.select_related("tenant", "user")
        self.each(
            request,
            chosen,
            lambda row: users.deactivate_user(row, actor=actor(request, row.tenant)),
            "deactivated",
        )

    @admin.action(description="Reactivate")
    def reactivate(self, request: HttpRequest, rows: QuerySet[Membership]) -> None:
        chosen = rows.select_related("tenant", "user")
        self.each(
            request,
            chosen,
            lambda row: users.reactivate_user(row, actor=actor(request, row.tenant)),
            "reactivated",
        )


@admin.register(Role)
class RoleAdmin(ReadOnlyAdmin):
    list_display = ("name", "slug", "tenant", "is_builtin")
    list_select_related = ("tenant",)
    list_filter = (("tenant", AutocompleteSelectFilter), "is_builtin", "slug")
    list_filter_submit = True
    search_fields = ("name", "slug", "tenant__slug")
    fields = ("tenant", "slug", "name", "permissions", "is_builtin")


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Made in the user interface, where the key is shown once; here they are found and revoked."""

    list_display = ("name", "prefix", "user", "tenant", "state", "last_used_at", "expires_at", "created_at")
    list_select_related = ("user", "tenant")
    list_filter = (("tenant", AutocompleteSelectFilter), ("revoked_at", admin.EmptyFieldListFilter))
    list_filter_submit = True
    search_fields = ("name", "prefix", "user__username", "tenant__slug")
    fields = (
        "name",
        "prefix",
        "user",
        "tenant",
        "permissions",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    actions = ("revoke",)

    @display(description="State", label={"works": "success", "revoked": "danger", "expired": "warning"})
    def state(self, row: ApiKey) -> str:
        if row.revoked_at is not None:
            return "revoked"
        return "works" if row.is_live else "expired"

    @admin.action(description="Revoke: whatever uses them is refused at once")
    def revoke(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> None:
        chosen = rows.select_related("tenant", "user")
        self.each(
            request,
            chosen,
            lambda row: api_keys.revoke_key(row, actor=actor(request, row.tenant)),
            "revoked",
        )


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


@admin.register(AuditEntry)
class AuditEntryAdmin(LogAdmin):
    list_display = ("action", "target", "actor", "credential", "ip", "tenant", "at")
    list_select_related = ("tenant",)
    list_filter = (("tenant", AutocompleteSelectFilter), ("at", RangeDateTimeFilter))
    list_filter_submit = True
    search_fields = ("=actor", "action__startswith", "target__startswith", "=request_id")
    search_help_text = "Who, the beginning of an action or a target, or a request's id"
    fields = (
        "action",
        "target",
        "actor",
        "credential",
        "ip",
        "tenant",
        "at",
        "request_id",
        "before",
        "after",
    )
