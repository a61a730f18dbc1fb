"""Forms about a tenant itself."""

from __future__ import annotations

from django import forms

from gateway.forms import PageForm
from tenants.services.settings import LEAST_RETENTION_DAYS, MOST_RETENTION_DAYS


class TenantForm(PageForm):
    name = forms.CharField(max_length=200, widget=forms.TextInput(attrs={"autocomplete": "organization"}))
    require_second_factor = forms.BooleanField(
        required=False,
        label="Require a second factor",
        help_text="Members sign in with an authenticator app or a security key, or set one up first.",
    )
    audit_retention_days = forms.IntegerField(
        required=False,
        min_value=LEAST_RETENTION_DAYS,
        max_value=MOST_RETENTION_DAYS,
        label="Days that the audit log is kept",
        help_text=f"{LEAST_RETENTION_DAYS} to {MOST_RETENTION_DAYS}; empty: as the platform has it.",
    )


class DomainForm(PageForm):
    hostname = forms.CharField(
        max_length=253,
        label="Host name",
        help_text="Such as files.example.org. You show next that it is yours.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
        ),
    )
