"""Roles of tenants in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from gateway.admin_verbs import VerbAdmin, actor
from tenants.api.serializers.people import RoleSerializer
from tenants.models import Role
from tenants.permissions import GROUPS, role_permissions
from tenants.services import roles


class RoleForm(forms.ModelForm):  # type: ignore[type-arg]
    permissions = forms.MultipleChoiceField(
        choices=[(group, list(named.items())) for group, named in GROUPS.items()],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    parent = forms.CharField(
        label="Extends",
        required=False,
        help_text="The short name of another role of the tenant, all of which it then holds too.",
        widget=UnfoldAdminTextInputWidget,
    )

    class Meta:
        model = Role
        fields = ("tenant", "name", "slug", "permissions")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and self.instance.extends:
            self.initial["parent"] = self.instance.extends.slug


@admin.register(Role)
class RoleAdmin(VerbAdmin):
    can_add = can_change = can_delete = True
    form = RoleForm
    list_display = ("name", "slug", "tenant", "extends", "is_builtin")
    list_select_related = ("tenant", "extends")
    list_filter = (("tenant", AutocompleteSelectFilter), "is_builtin", "slug")
    list_filter_submit = True
    search_fields = ("name", "slug", "tenant__slug")
    autocomplete_fields = ("tenant",)
    actions_detail = ("as_json",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.is_builtin)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.is_builtin)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is not None and obj.is_builtin:
            return ("tenant", "slug", "name", "holds")
        return ("tenant", "name", "slug", "parent", "permissions", *(("holds",) if obj else ()))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("tenant", "slug", "holds") if obj else ()

    @display(description="Holds in all")
    def holds(self, row: Role) -> str:
        return ", ".join(sorted(role_permissions(row)))

    def create(self, row: Role, values: dict[str, Any], request: HttpRequest) -> Role:
        tenant = values["tenant"]
        return roles.create_role(
            tenant,
            values["name"],
            slug=values["slug"],
            permissions=values["permissions"],
            extends=values["parent"] or None,
            actor=actor(request, tenant),
        )

    def change(self, row: Role, values: dict[str, Any], request: HttpRequest) -> None:
        roles.update_role(
            row,
            name=values["name"],
            permissions=values["permissions"],
            extends=values["parent"] or None,
            actor=actor(request, row.tenant),
        )

    def remove(self, row: Role, request: HttpRequest) -> None:
        roles.delete_role(row, actor=actor(request, row.tenant))

    @action(description="See as JSON", url_path="json")
    def as_json(self, request: HttpRequest, object_id: str) -> HttpResponse:
        shown = RoleSerializer(get_object_or_404(Role, pk=object_id)).data
        return JsonResponse(shown, json_dumps_params={"indent": 2, "ensure_ascii": False})
