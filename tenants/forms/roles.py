"""The form of a role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms

from gateway.forms import PageForm
from tenants.models import Role
from tenants.permissions import GROUPS, PERMISSIONS, role_permissions
from tenants.principal import Principal


@dataclass(frozen=True, slots=True)
class Choice:
    """A permission as the form offers it. `inherited`: the role extended holds it already."""

    name: str
    text: str
    chosen: bool
    inherited: bool
    yours: bool


class RoleForm(PageForm):
    name = forms.CharField(max_length=100)
    slug = forms.CharField(
        label="Short name",
        max_length=63,
        required=False,
        help_text="Lower-case letters, digits and hyphens; made of the name if left empty. It stays.",
    )
    extends = forms.ChoiceField(required=False, help_text="It holds all that this role holds, now and later.")
    permissions = forms.MultipleChoiceField(
        choices=list(PERMISSIONS.items()), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, actor: Principal, role: Role | None = None, **kwargs: Any) -> None:
        if role is not None:
            kwargs["initial"] = {
                "name": role.name,
                "extends": role.extends.slug if role.extends else "",
                "permissions": role.permissions,
            }
        super().__init__(*args, **kwargs)
        if role is not None:
            del self.fields["slug"]
        others = Role.objects.visible_to(actor).order_by("-is_builtin", "name")
        if role is not None:
            others = others.exclude(pk=role.pk)
        self.roles = {other.slug: other for other in others}
        offered = [(other.slug, other.name) for other in others]
        self.fields["extends"].choices = [("", "Nothing"), *offered]  # type: ignore[attr-defined]
        self.actor = actor

    def groups(self) -> list[tuple[str, list[Choice]]]:
        """The permissions by group, as they are chosen now."""
        chosen = set(self["permissions"].value() or [])
        parent = self.roles.get(self["extends"].value() or "")
        inherited = role_permissions(parent) if parent else frozenset()
        return [
            (
                group,
                [
                    Choice(name, text, name in chosen, name in inherited, self.actor.can(name))
                    for name, text in named.items()
                ],
            )
            for group, named in GROUPS.items()
        ]
