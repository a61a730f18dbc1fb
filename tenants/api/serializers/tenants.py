"""How tenants, domains, usage and limits look in the API."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

from gateway.api.fields import Text
from tenants.models import SLUG, Domain, Quota, Tenant


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
