"""The editor of a bucket's policy, statements to begin with, and the question who may do what."""

from __future__ import annotations

import json
from typing import Any, Final

from django import forms

from gateway.form_fields import PLAIN, text_input
from gateway.forms import PageForm
from storage.models import Bucket
from storage.policy.grammar import MAX_BYTES, RESOURCE
from storage.services import decisions

from .fields import PrefixField

STATEMENTS: Final = {
    "public-read": "Everybody may read",
    "user-read": "One user may read",
    "tls-only": "Nothing without TLS",
}


class PolicyForm(PageForm):
    policy = forms.CharField(
        label="Policy",
        required=False,
        strip=False,
        max_length=MAX_BYTES * 2,
        help_text="JSON in AWS's policy language, at most 20 KiB. Empty: none, the roles of the tenant decide alone.",
        widget=forms.Textarea(attrs={**PLAIN, "rows": 18, "class": "input mono code", "wrap": "off"}),
    )

    @classmethod
    def of(cls, bucket: Bucket) -> PolicyForm:
        """What is kept; one that a client put on a single line is shown on many, where that is not too long."""
        text = bucket.policy
        if text and "\n" not in text:
            laid_out = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
            text = laid_out if len(laid_out.encode()) <= MAX_BYTES else text
        return cls(initial={"policy": text})

    def clean_policy(self) -> str:
        text: str = self.cleaned_data["policy"]
        return text if text.strip() else ""


class StatementForm(PageForm):
    """Which statement to add to what is being typed, and for whom and what."""

    statement = forms.ChoiceField(label="Add a statement", choices=list(STATEMENTS.items()))
    username = forms.CharField(
        label="User", required=False, max_length=150, widget=text_input(list="members")
    )
    prefix = PrefixField("public/")  # type: ignore[assignment]  # a field, which is no attribute of its form

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("statement") == "user-read" and not values.get("username"):
            self.add_error("username", "Name the user.")
        return values

    def added_to(self, text: str, bucket: Bucket) -> str:
        """The policy with the statement at its end. Raises ValueError where the text is no policy to add to."""
        document = json.loads(text) if text.strip() else {"Version": "2012-10-17", "Statement": []}
        if not isinstance(document, dict):
            raise ValueError
        given = document.get("Statement", [])
        statements = given if isinstance(given, list) else [given]
        document["Statement"] = [*statements, *self._statements(bucket)]
        return json.dumps(document, indent=2, ensure_ascii=False)

    def _statements(self, bucket: Bucket) -> list[dict[str, Any]]:
        values = self.cleaned_data
        whole, objects = RESOURCE + bucket.name, f"{RESOURCE}{bucket.name}/{values['prefix']}*"
        match values["statement"]:
            case "public-read":
                return [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": objects}]
            case "user-read":
                who = {"AWS": f"arn:aws:iam:::user/{values['username']}"}
                lists: dict[str, Any] = {
                    "Effect": "Allow", "Principal": who, "Action": "s3:ListBucket", "Resource": whole,
                }  # fmt: skip
                if values["prefix"]:
                    lists["Condition"] = {"StringLike": {"s3:prefix": f"{values['prefix']}*"}}
                return [
                    {"Effect": "Allow", "Principal": who, "Action": "s3:GetObject", "Resource": objects},
                    lists,
                ]
        condition = {"Bool": {"aws:SecureTransport": "false"}}
        return [
            {
                "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [whole, f"{whole}/*"],
                "Condition": condition,
            }
        ]  # fmt: skip


class SimulateForm(PageForm):
    principal = forms.CharField(
        label="Who",
        max_length=200,
        initial="anonymous",
        help_text="A username, anonymous, or arn:aws:iam::<tenant>:user/<username> of somebody elsewhere.",
        widget=text_input(list="members"),
    )
    action = forms.CharField(
        label="Action", max_length=100, initial="s3:GetObject", widget=text_input(list="actions")
    )
    key = forms.CharField(
        label="Key",
        required=False,
        max_length=1024,
        strip=False,
        help_text="Of the object; for ListBucket nothing.",
        widget=text_input(),
    )
    source_ip = forms.GenericIPAddressField(label="From the address", required=False)
    secure = forms.BooleanField(label="Over TLS", required=False, initial=True)
    context = forms.CharField(
        label="Values of condition keys",
        required=False,
        max_length=10_000,
        help_text="One a line: s3:prefix=photos/",
        widget=forms.Textarea(attrs={**PLAIN, "rows": 2, "class": "input mono code", "wrap": "off"}),
    )
    uses_draft = forms.BooleanField(
        label="By the policy as it stands in the editor",
        required=False,
        help_text="Not by the one that is saved.",
    )
    policy = forms.CharField(required=False, strip=False, max_length=MAX_BYTES * 2, widget=forms.HiddenInput)

    def clean_context(self) -> dict[str, str]:
        lines = [line for line in self.cleaned_data["context"].splitlines() if line.strip()]
        if any("=" not in line for line in lines):
            raise forms.ValidationError("Each line is a key, =, and its value.")
        return {key.strip(): value for key, _, value in (line.partition("=") for line in lines)}

    def decided(self, bucket: Bucket, actor: Any) -> Any:
        """Raises DomainError."""
        values = self.cleaned_data
        return decisions.simulate(
            bucket,
            values["principal"],
            values["action"],
            values["key"],
            ip=values["source_ip"] or None,
            secure=values["secure"],
            policy=values["policy"] if values["uses_draft"] else None,
            context=values["context"],
            actor=actor,
        )
