"""Forms of signing in."""

from __future__ import annotations

import json
from typing import Any

from django import forms

from gateway.forms import PageForm
from tenants.services.second_factors.checking import Shown


class SignInForm(PageForm):
    username = forms.CharField(
        max_length=150, widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True})
    )
    password = forms.CharField(
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class Answer(forms.JSONField):
    """A security key's answer, as the page's script puts it into a hidden field."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> dict[str, Any] | None:
        if not value:
            return None
        if len(str(value)) > 20_000:
            raise forms.ValidationError("The security key's answer is too long.")
        found = super().clean(value)
        if not isinstance(found, dict):
            raise forms.ValidationError("The security key's answer is not one.")
        return found

    def bound_data(self, data: Any, initial: Any) -> Any:
        return ""

    def prepare_value(self, value: Any) -> str:
        return json.dumps(value) if isinstance(value, dict) else ""


class SecondFactorForm(PageForm):
    code = forms.CharField(
        label="Code of your app",
        max_length=16,
        required=False,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "inputmode": "numeric",
                "autofocus": True,
                "required": True,
            }
        ),
    )
    recovery_code = forms.CharField(
        max_length=64,
        required=False,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "none",
                "spellcheck": "false",
                "required": True,
            }
        ),
    )
    webauthn = Answer(required=False)

    def shown(self) -> Shown:
        """Raises Invalid unless it is exactly one."""
        values = self.cleaned_data
        return Shown(values["code"], values["recovery_code"], values["webauthn"])
