"""People, memberships and roles in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget

from gateway.admin_verbs import ReadOnlyAdmin, ReadOnlyInline, VerbAdmin, actor
from gateway.errors import DomainError
from tenants.models import Membership, Role, Tenant, User
from tenants.permissions import BUILTIN_ROLE_CHOICES
from tenants.services import passwords, users

from .sign_ins import SigningInActions


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
class UserAdmin(SigningInActions, VerbAdmin):
    can_add = True
    list_display = ("username", "email", "active", "is_staff", "last_login", "date_joined")
    list_filter = ("is_active", "is_staff")
    search_fields = ("username", "email", "name")
    fields = (
        "username",
        "email",
        "name",
        "is_active",
        "is_staff",
        "last_login",
        "date_joined",
    )
    inlines = (UserMembershipInline,)
    actions = ("deactivate", "reactivate", "sign_out_everywhere", "reset_second_factor")
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
