"""People and their memberships in the admin."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from gateway.admin_verbs import ReadOnlyInline, VerbAdmin, actor
from gateway.errors import Conflict, DomainError
from tenants.api.serializers.people import MemberSerializer
from tenants.models import Membership, Role, Tenant, User
from tenants.services import passwords, users

from . import user_tables
from .sign_ins import SigningInActions

EDITED = ("email", "name", "nexusgate_user_id")
ROLE_HELP = "The short name of a role of that tenant: owner, admin, member, viewer, or one of its own."


class NewUserForm(forms.ModelForm):  # type: ignore[type-arg]
    """A person begins as a member of one tenant."""

    tenant = forms.ModelChoiceField(Tenant.objects.none(), widget=UnfoldAdminSelectWidget)
    role = forms.CharField(initial="member", help_text=ROLE_HELP, widget=UnfoldAdminTextInputWidget)
    first_password = forms.CharField(
        strip=False,
        required=False,
        empty_value=None,
        help_text="Without one the person sets it by a link, or comes by the external issuer.",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )

    class Meta:
        model = User
        fields = ("username", "email", "name", "nexusgate_user_id")

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


class AddToTenantForm(BaseDialogForm):
    tenant = forms.ModelChoiceField(Tenant.objects.none(), widget=UnfoldAdminSelectWidget)
    role = forms.CharField(initial="member", help_text=ROLE_HELP, widget=UnfoldAdminTextInputWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].queryset = Tenant.objects.filter(status=Tenant.Status.ACTIVE)

    def clean_role(self) -> str:
        """Added here, since only a field's error is shown in the dialog."""
        role: str = self.cleaned_data["role"]
        if (tenant := self.cleaned_data.get("tenant")) is not None:
            user = User.objects.get(pk=self.object_id)
            try:
                users.add_member(tenant, user.username, role=role, actor=actor(self.request, tenant))
            except DomainError as error:
                raise forms.ValidationError(error.detail) from None
        return role


class UserMembershipInline(ReadOnlyInline):
    model = Membership
    fields = ("tenant", "role", "is_active", "is_default", "created_at")
    readonly_fields = ("created_at",)


@admin.register(User)
class UserAdmin(SigningInActions, VerbAdmin):
    can_add = can_change = True
    list_display = ("username", "email", "active", "is_staff", "last_login", "date_joined")
    list_filter = ("is_active", "is_staff", "kind")
    search_fields = ("username", "email", "name")
    fields = (
        "username",
        "email",
        "name",
        "nexusgate_user_id",
        "kind",
        "is_active",
        "is_staff",
        "last_login",
        "date_joined",
    )
    inlines = (UserMembershipInline,)
    actions = ("deactivate", "reactivate", "send_link", "sign_out_everywhere", "reset_second_factor")
    actions_detail = ("set_password", "add_to_tenant", "as_json")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewUserForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("username", "kind", "is_active", "is_staff", "last_login", "date_joined") if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ((None, {"fields": (*NewUserForm.Meta.fields, "first_password", "tenant", "role")}),)
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
            name=values["name"],
            nexusgate_user_id=values["nexusgate_user_id"],
            password=values["first_password"],
            role=values["role"],
            actor=actor(request, values["tenant"]),
        )
        return made.user

    def change(self, row: User, values: dict[str, Any], request: HttpRequest) -> None:
        membership = Membership.objects.select_related("tenant").filter(user=row).first()
        if membership is None:
            raise Conflict("The account is in no tenant: add it to one first.")
        given = {name: values[name] or "" for name in EDITED}
        users.update_account(membership, given, actor=actor(request, membership.tenant))

    @admin.action(description="Send a link to set a password with")
    def send_link(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        found = (Membership.objects.select_related("tenant", "user").filter(user=row).first() for row in rows)
        self.each_in_tenant(
            request, (row for row in found if row is not None), passwords.send_link, "links on their way"
        )

    @admin.action(description="Deactivate in all their tenants")
    def deactivate(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        chosen = Membership.objects.filter(user__in=rows, is_active=True).select_related("tenant", "user")
        self.each_in_tenant(request, chosen, users.deactivate_user, "memberships deactivated")

    @admin.action(description="Reactivate in all their tenants")
    def reactivate(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        chosen = Membership.objects.filter(user__in=rows, is_active=False).select_related("tenant", "user")
        self.each_in_tenant(request, chosen, users.reactivate_user, "memberships reactivated")

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

    @action(
        description="Add to a tenant",
        url_path="add-to-tenant",
        icon="group_add",
        dialog={
            "title": "Add to a tenant",
            "description": "The person works there too, with the same account.",
            "form_class": AddToTenantForm,
            "form_submit_text": "Add",
        },
    )
    def add_to_tenant(self, request: HttpRequest, form: AddToTenantForm, object_id: str) -> HttpResponse:
        self.message_user(request, "The person is a member there now.", messages.SUCCESS)
        return redirect("admin:tenants_user_change", object_id)

    @action(description="See as JSON", url_path="json")
    def as_json(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The person as each of their tenants sees them."""
        rows = Membership.objects.select_related("user", "role", "tenant").filter(user=object_id)
        shown = [{"tenant": row.tenant.slug, **MemberSerializer(row).data} for row in rows]
        return JsonResponse(shown, safe=False, json_dumps_params={"indent": 2, "ensure_ascii": False})


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
    actions = ("deactivate", "reactivate", "remove_from_tenant")
    actions_list: ClassVar[Any] = ("bulk",)

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
        self.each_in_tenant(request, chosen, users.deactivate_user, "deactivated")

    @admin.action(description="Reactivate")
    def reactivate(self, request: HttpRequest, rows: QuerySet[Membership]) -> None:
        chosen = rows.select_related("tenant", "user")
        self.each_in_tenant(request, chosen, users.reactivate_user, "reactivated")

    @admin.action(description="Remove from the tenant; their keys there are revoked")
    def remove_from_tenant(self, request: HttpRequest, rows: QuerySet[Membership]) -> None:
        chosen = rows.select_related("tenant", "user")
        self.each_in_tenant(request, chosen, users.remove_member, "removed")

    @action(description="Import or export", url_path="bulk", icon="swap_vert")
    def bulk(self, request: HttpRequest) -> HttpResponse:
        return user_tables.page(request, self.admin_site.each_context(request))
