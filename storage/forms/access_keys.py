"""Forms of S3 access keys: what one is limited to beside its owner's role."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django import forms
from django.utils import timezone

from gateway.form_fields import LinesField, WordsField
from gateway.forms import PageForm
from storage.models import AccessKey
from storage.services.access_key_reach import Limits
from tenants.permissions import PERMISSIONS
from tenants.principal import Principal

LIFETIMES: Final = {"": "Never", "1": "One day", "30": "30 days", "90": "90 days", "365": "One year"}
FORM_OF_STORAGE: Final = "storage."


class LimitsForm(PageForm):
    """`limits` are those of what was given: an empty field is no limit."""

    name = forms.CharField(
        max_length=100,
        help_text="What uses it, so that you know it again.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    buckets = WordsField(
        label="These buckets only",
        help_text="Names, parted by spaces; another tenant's as tenant:bucket. Empty: every bucket.",
    )
    prefixes = LinesField(
        label="Keys that begin with", help_text="Such as reports/, one a line. Empty: every key."
    )
    actions = WordsField(
        label="These actions only", help_text="S3's names such as s3:GetObject or s3:List*. Empty: all."
    )
    scope = forms.ChoiceField(
        label="Permissions",
        choices=[("all", "All that the owner's role holds, now and later"), ("some", "Only these:")],
        initial="all",
        required=False,
        widget=forms.RadioSelect,
    )
    permissions = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    allowed_networks = WordsField(
        label="Taken from these addresses only",
        help_text="Addresses or networks such as 192.0.2.0/24. Empty: from anywhere.",
    )

    def __init__(self, *args: Any, held: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = [(name, PERMISSIONS[name]) for name in held if name in PERMISSIONS]
        self.fields["permissions"].choices = named  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("scope") == "some" and not values.get("permissions"):
            self.add_error("permissions", "Choose at least one.")
        return values

    @property
    def limits(self) -> dict[str, Any]:
        values = self.cleaned_data
        return {
            "permissions": values["permissions"] if values["scope"] == "some" else None,
            "buckets": values["buckets"] or None,
            "prefixes": values["prefixes"] or None,
            "actions": values["actions"] or None,
            "allowed_networks": values["allowed_networks"],
        }


class AccessKeyForm(LimitsForm):
    """A new key, of the caller or of a service account."""

    owner = forms.ChoiceField(label="Acts as", required=False)
    lifetime = forms.ChoiceField(
        label="Expires after", choices=list(LIFETIMES.items()), initial="90", required=False
    )
    field_order = ("name", "owner", "lifetime")

    def __init__(self, *args: Any, actor: Principal, accounts: list[tuple[str, str]], **kwargs: Any) -> None:
        held = [name for name in PERMISSIONS if name.startswith(FORM_OF_STORAGE) and actor.can(name)]
        super().__init__(*args, held=held, **kwargs)
        if accounts:
            self.fields["owner"].choices = [("", f"{actor.label}, yourself"), *accounts]  # type: ignore[attr-defined]
        else:
            del self.fields["owner"]

    @property
    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["lifetime"]
        return timezone.now() + timedelta(days=int(days)) if days else None

    @property
    def given(self) -> Limits:
        return Limits(**self.limits, expires_at=self.expires_at)


class ChangeAccessKeyForm(LimitsForm):
    expires_at = forms.DateTimeField(
        label="Expires (UTC)",
        required=False,
        help_text="Empty: never.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def __init__(self, data: Any = None, *, key: AccessKey) -> None:
        names = ("name", "buckets", "prefixes", "actions", "allowed_networks", "expires_at")
        initial = {name: getattr(key, name) for name in names}
        initial |= {
            "scope": "all" if key.permissions is None else "some",
            "permissions": key.permissions or [],
        }
        offered = [name for name in PERMISSIONS if name.startswith(FORM_OF_STORAGE)]
        super().__init__(data, held=sorted({*offered, *(key.permissions or [])}), initial=initial)
        self.key = key

    @property
    def changes(self) -> dict[str, Any]:
        """The fields that were changed; minutes are all that the form knows of an expiry."""
        wanted = {"name": self.cleaned_data["name"], **self.limits}
        found = {name: value for name, value in wanted.items() if value != getattr(self.key, name)}
        ends, present = self.cleaned_data["expires_at"], self.key.expires_at
        if ends != (present.replace(second=0, microsecond=0) if present else None):
            found["expires_at"] = ends
        return found
