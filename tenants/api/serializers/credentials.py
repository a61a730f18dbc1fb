"""How credentials look in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.fields import Body, Flag, Text, Whole
from tenants import networks
from tenants.models import ApiKey, Membership
from tenants.services.key_rotation import LONGEST_OVERLAP


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    user = Text(source="user.username", read_only=True)
    permissions = serializers.ListField(child=Text(), read_only=True, allow_null=True)
    allowed_networks = serializers.ListField(child=Text(), read_only=True)

    class Meta:
        model = ApiKey
        fields = [
            "id",
            "name",
            "prefix",
            "user",
            "permissions",
            "allowed_networks",
            "created_by",
            "created_at",
            "expires_at",
            "last_used_at",
            "last_used_ip",
            "previous_prefix",
            "previous_until",
            "revoked_at",
        ]


class _Permissions(serializers.ListField):
    child = Text(max_length=64)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=200, **kwargs)


class _Networks(serializers.ListField):
    child = Text(max_length=50)

    def __init__(self, **kwargs: Any) -> None:
        text = "Addresses and networks (CIDR); empty: any"
        super().__init__(max_length=networks.MOST, help_text=text, **kwargs)


class CreateApiKeySerializer(Body):
    name = Text(max_length=100)
    permissions = _Permissions(required=False, allow_null=True, default=None)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    allowed_networks = _Networks(required=False, default=list)


class UpdateApiKeySerializer(Body):
    name = Text(max_length=100, required=False)
    permissions = _Permissions(required=False, allow_null=True)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    allowed_networks = _Networks(required=False)


class RotateApiKeySerializer(Body):
    overlap_seconds = Whole(min_value=0, max_value=int(LONGEST_OVERLAP.total_seconds()), default=3600)


class IssuedApiKeySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = Text()
    api_key = Text(help_text="Shown this once")
    warning = Text()
    previous_until = serializers.DateTimeField(
        allow_null=True, help_text="Until when the secret before works, after a rotation"
    )


class ServiceAccountSerializer(serializers.ModelSerializer[Membership]):
    id = serializers.UUIDField(source="user.public_id", read_only=True)
    name = Text(source="user.name", read_only=True)
    username = Text(source="user.username", read_only=True)
    role = Text(source="role.slug", read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "name", "username", "role", "is_active", "created_at"]


class CreateServiceAccountSerializer(Body):
    name = Text(max_length=63)
    role = Text(max_length=63, default="member")


class UpdateServiceAccountSerializer(Body):
    role = Text(max_length=63, required=False)
    is_active = Flag(required=False)
