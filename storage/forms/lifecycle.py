"""The editor of lifecycle rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django import forms

from gateway.form_fields import PairsField, SizeField, text_input
from storage.s3.documents import lifecycle
from storage.services import bucket_settings

from .fields import PrefixField
from .rules import Rule, RuleForm, RuleSet

_DAYS: dict[str, Any] = {"required": False, "min_value": 1, "max_value": (1 << 31) - 1}


class LifecycleRuleForm(RuleForm):
    check = staticmethod(lifecycle.check)
    name = forms.CharField(
        max_length=255, required=False, help_text="Its ID. Empty: one is made.", widget=text_input()
    )
    enabled = forms.BooleanField(label="It is applied", required=False)
    prefix = PrefixField("logs/")  # type: ignore[assignment]  # a field, which is no attribute of its form
    tags = PairsField(label="That have the tags", help_text="name=value, one a line.", rows=2)
    larger = SizeField(label="Larger than")
    smaller = SizeField(label="Smaller than")
    expire_days = forms.IntegerField(label="Delete after days", help_text="Since they were written.", **_DAYS)
    expire_date = forms.DateField(
        label="Delete on",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="At 0:00 UTC.",
    )
    markers = forms.BooleanField(
        label="Remove delete markers that cover nothing",
        required=False,
        help_text="ExpiredObjectDeleteMarker",
    )
    noncurrent_days = forms.IntegerField(
        label="Delete older versions after days", help_text="Since they were replaced or deleted.", **_DAYS
    )
    newer_versions = forms.IntegerField(
        label="But keep this many of them",
        required=False,
        min_value=1,
        max_value=100,
        help_text="The newest, 1 to 100.",
    )
    abort_days = forms.IntegerField(label="End unfinished uploads after days", **_DAYS)

    @classmethod
    def values_of(cls, rule: Mapping[str, Any]) -> dict[str, Any]:
        chosen = rule.get("Filter", {})
        both = chosen.get("And", chosen)
        expiration = rule.get("Expiration", {})
        noncurrent = rule.get("NoncurrentVersionExpiration", {})
        return {
            "name": rule.get("ID", ""),
            "enabled": rule.get("Status", lifecycle.ENABLED) == lifecycle.ENABLED,
            "prefix": both.get("Prefix", rule.get("Prefix", "")),
            "tags": {pair["Key"]: pair["Value"] for pair in lifecycle.tags_of(dict(rule))},
            "larger": both.get("ObjectSizeGreaterThan"),
            "smaller": both.get("ObjectSizeLessThan"),
            "expire_days": expiration.get("Days"),
            "expire_date": date.fromisoformat(expiration["Date"][:10]) if "Date" in expiration else None,
            "markers": expiration.get("ExpiredObjectDeleteMarker", False),
            "noncurrent_days": noncurrent.get("NoncurrentDays"),
            "newer_versions": noncurrent.get("NewerNoncurrentVersions"),
            "abort_days": rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation"),
        }

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if values.get("newer_versions") and not values.get("noncurrent_days"):
            self.add_error("noncurrent_days", "Say after how many days the others go.")
        ends = [name for name in ("expire_days", "expire_date", "markers") if values.get(name)]
        if len(ends) > 1:
            self.add_error(
                ends[1], "One rule has only one of: days, a date, delete markers. Add another rule."
            )
        return super().clean()

    def rule(self) -> Rule:
        values = self.cleaned_data
        found: Rule = {
            "Status": lifecycle.ENABLED if values["enabled"] else "Disabled",
            "Filter": self._filter(),
        }
        if values["name"]:
            found["ID"] = values["name"]
        if values["expire_days"]:
            found["Expiration"] = {"Days": values["expire_days"]}
        elif values["expire_date"]:
            found["Expiration"] = {"Date": f"{values['expire_date'].isoformat()}T00:00:00.000Z"}
        elif values["markers"]:
            found["Expiration"] = {"ExpiredObjectDeleteMarker": True}
        if values["noncurrent_days"]:
            kept = {"NewerNoncurrentVersions": values["newer_versions"]} if values["newer_versions"] else {}
            found["NoncurrentVersionExpiration"] = {"NoncurrentDays": values["noncurrent_days"], **kept}
        if values["abort_days"]:
            found["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": values["abort_days"]}
        return found

    def _filter(self) -> Rule:
        values = self.cleaned_data
        tags = [{"Key": key, "Value": value} for key, value in values["tags"].items()]
        both: Rule = {
            name: value
            for name, value in (
                ("Prefix", values["prefix"] or None),
                ("ObjectSizeGreaterThan", values["larger"]),
                ("ObjectSizeLessThan", values["smaller"]),
            )
            if value is not None
        }
        if len(both) + len(tags) > 1:
            return {"And": both | ({"Tags": tags} if tags else {})}
        if tags:
            return {"Tag": tags[0]}
        return both or {"Prefix": ""}


class LifecycleRules(RuleSet):
    setting, title = "lifecycle", "Lifecycle"
    lead = "What is deleted by itself, about once a day. Where versions are kept, it stays as a version."
    form = LifecycleRuleForm
    verb = staticmethod(bucket_settings.set_lifecycle)
