"""How credentials look in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.fields import Text
from tenants.models import ApiKey


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    user = Text(source="user.username", read_only=True)
    permissions = serializers.ListField(child=Text(), read_only=True, allow_null=True)

    class Meta:
        model = ApiKey
        fields = [
            "id",
            "name",
            "prefix",
            "user",
            "permissions",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        ]


class CreateApiKeySerializer(serializers.Serializer[Any]):
    name = Text(max_length=100)
    permissions = serializers.ListField(
        child=Text(max_length=64),
        required=False,
        allow_null=True,
        default=None,
        max_length=200,
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class IssuedApiKeySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = Text()
    api_key = Text(help_text="Shown this once")
    warning = Text()
