"""Forms of S3 access keys."""

from __future__ import annotations

from django import forms

from gateway.forms import PageForm


class AccessKeyForm(PageForm):
    name = forms.CharField(
        max_length=100,
        help_text="What uses it, so that you know it again.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
