"""Forms of members and of invitations."""

from __future__ import annotations

from typing import Any

from django import forms

from gateway.forms import PageForm
from tenants.models import Role
from tenants.permissions import role_permissions
from tenants.principal import Principal


def role_choices(actor: Principal) -> list[tuple[str, str]]:
    """The roles of the tenant that the caller may give."""
    roles = Role.objects.visible_to(actor).order_by("-is_builtin", "name")
    owners = actor.role in ("owner", "staff")
    return [
        (role.slug, role.name)
        for role in roles
        if role_permissions(role) <= actor.permissions and (role.slug != "owner" or owners)
    ]


class _WithRole(PageForm):
    role = forms.ChoiceField(initial="member")

    def __init__(self, *args: Any, actor: Principal, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = role_choices(actor)  # type: ignore[attr-defined]


class MemberForm(_WithRole):
    username = forms.CharField(max_length=150, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    email = forms.EmailField(
        label="E-mail", required=False, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    name = forms.CharField(max_length=150, required=False)
    password = forms.CharField(
        label="First password",
        max_length=256,
        strip=False,
        required=False,
        empty_value=None,
        help_text="At least 12 characters; hand it over safely. Without one they get a link to set it by.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    field_order = ("username", "email", "name", "password", "role")


class InvitationForm(_WithRole):
    email = forms.EmailField(label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    name = forms.CharField(max_length=150, required=False, help_text="How the mail greets them.")
    field_order = ("email", "name", "role")


class AccountForm(PageForm):
    email = forms.EmailField(
        label="E-mail", required=False, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    name = forms.CharField(max_length=150, required=False)
    nexusgate_user_id = forms.CharField(
        label="Id at the external issuer",
        max_length=255,
        required=False,
        help_text="Whose tokens act as this account.",
    )


class ImportForm(PageForm):
    file = forms.FileField(
        label="CSV or JSON file",
        help_text="UTF-8, at most 1 MiB.",
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.json,text/csv,application/json"}),
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > 1 << 20:
            raise forms.ValidationError("The file has more than 1 MiB.")
        return file
