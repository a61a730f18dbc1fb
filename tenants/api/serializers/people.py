"""How people and roles look in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.fields import Text
from tenants.models import Membership, Role
from tenants.permissions import role_permissions


class RoleSerializer(serializers.ModelSerializer[Role]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    permissions = serializers.SerializerMethodField()

    class Meta:
        model = Role
        fields = ["id", "slug", "name", "is_builtin", "permissions"]

    def get_permissions(self, role: Role) -> list[str]:
        return sorted(role_permissions(role))


class MemberSerializer(serializers.ModelSerializer[Membership]):
    """A user as one tenant sees them."""

    id = serializers.UUIDField(source="user.public_id", read_only=True)
    username = Text(source="user.username", read_only=True)
    email = Text(source="user.email", read_only=True)
    role = Text(source="role.slug", read_only=True)
    last_login = serializers.DateTimeField(source="user.last_login", read_only=True, allow_null=True)

    class Meta:
        model = Membership
        fields = ["id", "username", "email", "role", "is_active", "last_login", "created_at"]


class CreateUserSerializer(serializers.Serializer[Any]):
    username = Text(max_length=150)
    email = serializers.EmailField(required=False, allow_blank=True, default="")
    password = Text(max_length=256, trim_whitespace=False, write_only=True)
    role = Text(max_length=63, default="member")


class UpdateUserSerializer(serializers.Serializer[Any]):
    role = Text(max_length=63, required=False)
    is_active = serializers.BooleanField(required=False)
