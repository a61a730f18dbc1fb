"""How tenancy looks in the API."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

from gateway.api.fields import Text
from tenants.models import SLUG, ApiKey, AuditEntry, Domain, Membership, Quota, Role, Tenant
from tenants.permissions import BUILTIN_ROLES


class LimitsSerializer(serializers.ModelSerializer[Quota]):
    class Meta:
        model = Quota
        fields = ["storage_bytes", "buckets", "access_keys", "users", "api_keys"]


class TenantSerializer(serializers.ModelSerializer[Tenant]):
    id = serializers.UUIDField(source="public_id", read_only=True)

    class Meta:
        model = Tenant
        fields = ["id", "name", "slug", "status", "created_at"]


class CreateTenantSerializer(serializers.Serializer[Any]):
    name = Text(max_length=200)
    slug = Text(max_length=63, validators=[SLUG])


class UpdateTenantSerializer(serializers.Serializer[Any]):
    name = Text(max_length=200, required=False)
    status = serializers.ChoiceField(Tenant.Status.choices, required=False)
    limits = LimitsSerializer(required=False, help_text="null lifts a limit")


class DomainSerializer(serializers.ModelSerializer[Domain]):
    id = serializers.UUIDField(source="public_id", read_only=True)

    class Meta:
        model = Domain
        fields = ["id", "hostname", "created_at"]
        extra_kwargs: ClassVar[dict[str, Any]] = {"hostname": {"validators": []}}


class UsageSerializer(serializers.Serializer[Any]):
    """What a tenant uses, beside its limits (null: unlimited)."""

    usage = serializers.DictField(child=serializers.IntegerField())
    limits = LimitsSerializer()


class RoleSerializer(serializers.ModelSerializer[Role]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    permissions = serializers.SerializerMethodField()

    class Meta:
        model = Role
        fields = ["id", "slug", "name", "is_builtin", "permissions"]

    def get_permissions(self, role: Role) -> list[str]:
        return sorted(BUILTIN_ROLES[role.slug] if role.is_builtin else role.permissions)


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


class AuditEntrySerializer(serializers.ModelSerializer[AuditEntry]):
    id = serializers.UUIDField(source="public_id", read_only=True)

    class Meta:
        model = AuditEntry
        fields = [
            "id",
            "at",
            "actor",
            "credential",
            "ip",
            "request_id",
            "action",
            "target",
            "before",
            "after",
        ]


class LoginSerializer(serializers.Serializer[Any]):
    username = Text(max_length=150)
    password = Text(max_length=256, trim_whitespace=False, write_only=True)


class TokensSerializer(serializers.Serializer[Any]):
    access = Text()
    refresh = Text()
    expires_in = serializers.IntegerField(help_text="Seconds until the access token expires")
    token_type = Text()


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = Text(max_length=4096)


class IntrospectSerializer(serializers.Serializer[Any]):
    token = Text(max_length=8192, allow_blank=True)
    token_type_hint = Text(max_length=64, required=False, allow_blank=True)


class IntrospectionSerializer(serializers.Serializer[Any]):
    """RFC 7662, section 2.2."""

    active = serializers.BooleanField()
    sub = Text(required=False)
    username = Text(required=False)
    tenant = Text(required=False)
    role = Text(required=False)
    scope = Text(required=False)
    token_type = Text(required=False)
    exp = serializers.IntegerField(required=False)


class MeSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    username = Text()
    email = Text()
    is_staff = serializers.BooleanField()
    tenant = Text()
    role = Text()
    permissions = serializers.ListField(child=Text())
    tenants = serializers.ListField(child=serializers.DictField())
