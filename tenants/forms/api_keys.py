"""Forms of API keys and service accounts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms

from gateway.forms import PageForm
from tenants.permissions import PERMISSIONS
from tenants.principal import Principal

LIFETIMES = {"30": "30 days", "90": "90 days", "365": "One year", "": "Never"}
OVERLAPS = {"3600": "One hour", "86400": "One day", "604800": "One week", "0": "Not at all"}


class _Networks(forms.CharField):
    """One address or network a line; a list of them."""

    def __init__(self) -> None:
        super().__init__(
            label="Taken from these addresses only",
            required=False,
            max_length=5000,
            help_text="Addresses or networks such as 192.0.2.0/24, one a line. Empty: from anywhere.",
            widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off"}),
        )

    def clean(self, value: Any) -> list[str]:
        return str(super().clean(value)).replace(",", " ").split()


class ApiKeyForm(PageForm):
    name = forms.CharField(max_length=100, help_text="What uses it, so that you know it again.")
    lifetime = forms.ChoiceField(
        label="Expires after", choices=list(LIFETIMES.items()), initial="90", required=False
    )
    allowed_networks = _Networks()
    scope = forms.ChoiceField(
        label="Permissions",
        choices=[("all", "All that the owner's role holds, now and later"), ("some", "Only these:")],
        initial="all",
        widget=forms.RadioSelect,
    )
    permissions = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, actor: Principal, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = [(name, f"{name} — {text}") for name, text in PERMISSIONS.items() if actor.can(name)]
        self.fields["permissions"].choices = held  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("scope") == "some" and not values.get("permissions"):
            self.add_error("permissions", "Choose at least one.")
        return values

    @property
    def granted(self) -> list[str] | None:
        return self.cleaned_data["permissions"] if self.cleaned_data["scope"] == "some" else None

    @property
    def valid_for(self) -> timedelta | None:
        days = self.cleaned_data["lifetime"]
        return timedelta(days=int(days)) if days else None


class ChangeApiKeyForm(PageForm):
    name = forms.CharField(max_length=100)
    allowed_networks = _Networks()
    permissions = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, held: list[str] | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if held is None:  # the role's, now and later: there is nothing to take away one by one
            del self.fields["permissions"]
        else:
            named = [(name, f"{name} — {PERMISSIONS.get(name, '')}") for name in held]
            self.fields["permissions"].choices = named  # type: ignore[attr-defined]


class RotateForm(PageForm):
    overlap = forms.ChoiceField(
        label="The present secret works on for",
        choices=list(OVERLAPS.items()),
        initial="86400",
        help_text="Time to put the new one wherever the key is used.",
    )


class ServiceAccountForm(PageForm):
    name = forms.CharField(
        max_length=63, help_text="Lower-case letters, digits and hyphens, such as nightly-backup."
    )
    role = forms.ChoiceField()

    def __init__(self, *args: Any, roles: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = roles  # type: ignore[attr-defined]
