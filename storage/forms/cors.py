"""The editor of CORS rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from gateway.form_fields import LinesField
from storage.s3.documents import cors
from storage.services import bucket_settings

from .rules import Rule, RuleForm, RuleSet


class CorsRuleForm(RuleForm):
    check = staticmethod(cors.check)
    origins = LinesField(
        label="Origins",
        required=True,
        help_text="https://app.example.org, one a line; one * stands for any text.",
    )
    methods = forms.MultipleChoiceField(
        choices=[(name, name) for name in cors.METHODS], widget=forms.CheckboxSelectMultiple
    )
    headers = LinesField(label="Request headers", help_text="That pages may send, one a line; * is any.")
    exposed = LinesField(label="Answer headers", help_text="That pages may read, one a line, such as ETag.")
    max_age = forms.IntegerField(
        label="Kept for, in seconds",
        required=False,
        min_value=0,
        max_value=(1 << 31) - 1,
        help_text="How long browsers need not ask again.",
    )

    @classmethod
    def values_of(cls, rule: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "origins": list(rule.get("AllowedOrigins", [])),
            "methods": rule.get("AllowedMethods", ["GET"]),
            "headers": list(rule.get("AllowedHeaders", [])),
            "exposed": list(rule.get("ExposeHeaders", [])),
            "max_age": rule.get("MaxAgeSeconds"),
        }

    def rule(self) -> Rule:
        values = self.cleaned_data
        found = {
            "AllowedMethods": values["methods"],
            "AllowedOrigins": [text.strip() for text in values["origins"]],
            "AllowedHeaders": [text.strip() for text in values["headers"]],
            "ExposeHeaders": [text.strip() for text in values["exposed"]],
            "MaxAgeSeconds": values["max_age"],
        }
        return {name: value for name, value in found.items() if value not in ([], None)}


class CorsRules(RuleSet):
    setting, title = "cors", "Cross-origin requests (CORS)"
    lead = (
        "Which pages of other sites may read or write here from a browser. The first rule that fits answers."
    )
    form = CorsRuleForm
    verb = staticmethod(bucket_settings.set_cors)
