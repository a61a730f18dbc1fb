"""Forms of an object's page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django import forms

from gateway.form_fields import PairsField
from gateway.forms import PageForm
from storage.s3.documents import lock
from storage.services.objects import LINK_LASTS_AT_MOST

LASTS: Final = {
    "900": "15 minutes",
    "3600": "One hour",
    "43200": "12 hours",
    "86400": "One day",
    "604800": "7 days",
    "2592000": "30 days",
}
PAGE, SAVES, OPENS = "page", "saves", "opens"


class TagsForm(PageForm):
    tags = PairsField(label="Tags", help_text="At most 10, name=value, one a line.")


class ShareForm(PageForm):
    lasts = forms.ChoiceField(label="It works for", choices=list(LASTS.items()), initial="86400")
    kind = forms.ChoiceField(
        label="What it leads to",
        choices=[
            (PAGE, "A page with a button to download it"),
            (SAVES, "The bytes, saved as a file (presigned URL)"),
            (OPENS, "The bytes, shown where the browser can (presigned URL)"),
        ],
        initial=PAGE,
        required=False,
        widget=forms.RadioSelect,
        help_text="Presigned URLs are for programs: they work for 12 hours at most, and nobody can revoke one.",
    )

    @property
    def span(self) -> timedelta:
        return timedelta(seconds=int(self.cleaned_data["lasts"]))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        is_plain = values.get("kind") in (SAVES, OPENS)
        if is_plain and "lasts" in values and self.span > LINK_LASTS_AT_MOST:
            self.add_error("lasts", "A presigned URL works for 12 hours at most.")
        return values


class RetentionForm(PageForm):
    mode = forms.ChoiceField(
        choices=[
            (lock.GOVERNANCE, "Governance: who holds storage.object.lock may unlock it"),
            (lock.COMPLIANCE, "Compliance: nobody may as long as it runs, not even the platform's staff"),
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
