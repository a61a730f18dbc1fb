"""How S3 access keys look in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.fields import Body, Text
from storage.models import AccessKey


class AccessKeySerializer(serializers.ModelSerializer[AccessKey]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    user = Text(source="user.username", read_only=True)
    permissions = serializers.ListField(child=Text(), read_only=True, allow_null=True)

    class Meta:
        model = AccessKey
        fields = ["id", "name", "access_key_id", "user", "permissions", "created_at", "revoked_at"]


class CreateAccessKeySerializer(Body):
    name = Text(max_length=100)


class IssuedAccessKeySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = Text()
    access_key_id = Text()
    secret_access_key = Text(help_text="Shown this once")
    warning = Text()
