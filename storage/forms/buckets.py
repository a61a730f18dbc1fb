"""Forms of buckets."""

from __future__ import annotations

from typing import Any

from django import forms

from gateway.forms import PageForm
from storage.models import Backend


class BucketForm(PageForm):
    name = forms.CharField(
        min_length=3,
        max_length=63,
        help_text="3 to 63 lower-case letters, digits, hyphens and dots.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off", "autofocus": True}
        ),
    )
    object_lock = forms.BooleanField(
        label="Object lock",
        required=False,
        help_text="Keeps versions, which can be locked against deletion. It cannot be undone.",
    )
    backend = forms.ChoiceField(required=False, help_text="Where its bytes lie.")

    def __init__(self, *args: Any, backends: list[Backend], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if len(backends) > 1:
            choices = [("", "The default one"), *((b.name, f"{b.name} ({b.kind})") for b in backends)]
            self.fields["backend"].choices = choices  # type: ignore[attr-defined]
        else:
            del self.fields["backend"]
