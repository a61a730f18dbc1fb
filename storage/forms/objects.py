"""Forms of an object's page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django import forms

from gateway.form_fields import PairsField
from gateway.forms import PageForm
from storage.s3.documents import lock

LASTS: Final = {"900": "15 minutes", "3600": "One hour", "21600": "6 hours", "43200": "12 hours"}


class TagsForm(PageForm):
    tags = PairsField(label="Tags", help_text="At most 10, name=value, one a line.")


class ShareForm(PageForm):
    lasts = forms.ChoiceField(label="It works for", choices=list(LASTS.items()), initial="3600")
    saves = forms.BooleanField(
        label="Save it under its name", required=False, help_text="Else browsers show what they can show."
    )

    @property
    def span(self) -> timedelta:
        return timedelta(seconds=int(self.cleaned_data["lasts"]))


class RetentionForm(PageForm):
    mode = forms.ChoiceField(
        choices=[
            (lock.GOVERNANCE, "Governance: who holds storage.object.lock may unlock it"),
            (lock.COMPLIANCE, "Compliance: nobody may as long as the tenant is there"),
        ],
        widget=forms.RadioSelect,
    )
    until = forms.DateTimeField(
        label="Until (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    bypass = forms.BooleanField(label="Also shorten or end a lock in governance mode", required=False)

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, auto_id="retention_%s", **kwargs)
