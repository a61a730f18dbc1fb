"""Forms of one's own account."""

from __future__ import annotations

from typing import Any

from django import forms

from gateway.forms import PageForm

from .sign_in import Answer


class ProfileForm(PageForm):
    name = forms.CharField(max_length=150, required=False, widget=forms.TextInput({"autocomplete": "name"}))
    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        required=False,
        widget=forms.EmailInput({"autocomplete": "email"}),
        help_text="Links that set your password go there.",
    )


class PasswordForm(PageForm):
    current_password = forms.CharField(
        max_length=1024, strip=False, widget=forms.PasswordInput({"autocomplete": "current-password"})
    )
    new_password = forms.CharField(
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
        help_text="At least 12 characters. You are signed out everywhere else.",
    )


class ConfirmPasswordForm(PageForm):
    password = forms.CharField(
        label="Your password",
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "current-password", "autofocus": True}),
    )


class NewFactorForm(PageForm):
    name = forms.CharField(
        max_length=100,
        help_text="So that you know it again, such as “phone” or “key on the key ring”.",
        widget=forms.TextInput({"autofocus": True}),
    )


class ConfirmFactorForm(PageForm):
    code = forms.CharField(
        label="Code that the app shows",
        max_length=16,
        required=False,
        widget=forms.TextInput(
            {"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True, "required": True}
        ),
    )
    webauthn = Answer(required=False)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.errors and not values.get("code") and values.get("webauthn") is None:
            self.add_error("code", "Enter the code.")
        return values
