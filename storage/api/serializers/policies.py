"""How bucket policies look in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.fields import Body, Flag, Text

MOST_CONTEXT = 50
_DOCUMENT = "In AWS's policy language, at most 20 KiB"


class PolicySerializer(serializers.Serializer[Any]):
    policy = serializers.DictField(
        child=serializers.JSONField(allow_null=True), allow_null=True, help_text=_DOCUMENT
    )
    is_public = serializers.BooleanField(help_text="Whether it grants anything to everybody")
    warnings = serializers.ListField(
        child=Text(),
        help_text="What it says without effect, as an action beside resources it is never asked of",
    )


class PutPolicySerializer(Body):
    policy = serializers.DictField(child=serializers.JSONField(allow_null=True), help_text=_DOCUMENT)


class SimulateSerializer(Body):
    principal = Text(
        max_length=200,
        help_text="A username of the tenant, `anonymous`, or the ARN of somebody elsewhere: "
        "`arn:aws:iam::<tenant>:user/<username>`",
    )
    action = Text(max_length=100, help_text="`s3:GetObject`")
    key = Text(max_length=1024, required=False, allow_blank=True, trim_whitespace=False, default="")
    source_ip = serializers.IPAddressField(required=False, allow_null=True, default=None)
    secure = Flag(default=True, help_text="Whether the request comes over TLS")
    policy = serializers.DictField(
        child=serializers.JSONField(allow_null=True),
        required=False,
        allow_null=True,
        default=None,
        help_text="Tried in place of the bucket's own",
    )
    context = serializers.DictField(  # type: ignore[assignment]  # a field, which is no attribute of its serializer
        child=Text(max_length=2048, allow_blank=True, trim_whitespace=False),
        required=False,
        default=dict,
        help_text='Values of condition keys that the request shall have: `{"s3:prefix": "photos/"}`',
    )

    def validate_context(self, value: dict[str, str]) -> dict[str, str]:
        if len(value) > MOST_CONTEXT:
            raise serializers.ValidationError(f"At most {MOST_CONTEXT} keys.")
        return value


class DecisionSerializer(serializers.Serializer[Any]):
    allowed = serializers.BooleanField()
    reason = Text(help_text="A word for programs: `role`, `policy_allow`, `policy_deny`, …")
    text = Text(help_text="The same for people")
    statement = Text(help_text="Which statement of the policy decided; empty: none")
