"""Forms of members."""

from __future__ import annotations

from django import forms

from gateway.forms import PageForm
from tenants.permissions import BUILTIN_ROLE_CHOICES


class MemberForm(PageForm):
    username = forms.CharField(max_length=150, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    email = forms.EmailField(required=False, widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    password = forms.CharField(
        label="First password",
        max_length=1024,
        strip=False,
        help_text="At least 12 characters. Hand it over safely.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    role = forms.ChoiceField(choices=BUILTIN_ROLE_CHOICES, initial="member")
