"""How temporary credentials look in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.fields import Body, Text
from storage.temporary import LONGEST, SHORTEST


class AskCredentialsSerializer(Body):
    duration_seconds = serializers.IntegerField(
        default=3600, min_value=int(SHORTEST.total_seconds()), max_value=int(LONGEST.total_seconds())
    )
    policy = serializers.DictField(
        required=False,
        allow_null=True,
        help_text="A policy of AWS's grammar without principals: narrows them.",
    )


class TemporaryCredentialsSerializer(serializers.Serializer[Any]):
    access_key_id = Text()
    secret_access_key = Text(help_text="Shown this once")
    session_token = Text()
    expires_at = serializers.DateTimeField()
