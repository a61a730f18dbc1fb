"""Forms of API keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms

from gateway.forms import PageForm
from tenants.permissions import PERMISSIONS
from tenants.principal import Principal

LIFETIMES = {"30": "30 days", "90": "90 days", "365": "One year", "": "Never"}


class ApiKeyForm(PageForm):
    name = forms.CharField(max_length=100, help_text="What uses it, so that you know it again.")
    lifetime = forms.ChoiceField(
        label="Expires after", choices=list(LIFETIMES.items()), initial="90", required=False
    )
    scope = forms.ChoiceField(
        label="Permissions",
        choices=[("all", "All that my role holds, now and later"), ("some", "Only these:")],
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
