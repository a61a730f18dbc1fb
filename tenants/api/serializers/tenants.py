"""How tenants, usage, limits and settings look in the API."""

from __future__ import annotations

import copy
from typing import Any

from rest_framework import serializers

from gateway.api.fields import Body, Flag, Text, Whole
from tenants.features import FEATURES
from tenants.models import SLUG, Tenant
from tenants.services.quotas import LIMITS
from tenants.services.settings import LEAST_RETENTION_DAYS, MOST_RATE, MOST_RETENTION_DAYS

_MOST_BYTES, _MOST_ROWS = (1 << 63) - 1, (1 << 31) - 1
_SET_BY_STAFF = [(Tenant.Status.ACTIVE.value, "Active"), (Tenant.Status.SUSPENDED.value, "Suspended")]


class LimitsSerializer(Body):
    """null lifts a limit."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            name: Whole(
                required=False,
                allow_null=True,
                min_value=0,
                max_value=_MOST_BYTES if name.endswith("_bytes") else _MOST_ROWS,
            )
            for name in LIMITS
        }


class SettingsSerializer(Body):
    """What is null follows the platform."""

    require_second_factor = Flag(required=False, help_text="Members sign in with a second factor")
    audit_retention_days = Whole(
        required=False,
        allow_null=True,
        min_value=LEAST_RETENTION_DAYS,
        max_value=MOST_RETENTION_DAYS,
        help_text="Days that audit entries are kept",
    )
    disabled_features = serializers.ListField(
        child=Text(max_length=64), required=False, max_length=100, help_text=f"Of: {', '.join(FEATURES)}"
    )
    allowed_backends = serializers.ListField(
        child=Text(max_length=63),
        required=False,
        allow_null=True,
        max_length=100,
        help_text="Names; for new buckets",
    )
    allowed_regions = serializers.ListField(
        child=Text(max_length=63),
        required=False,
        allow_null=True,
        max_length=100,
        help_text="For new buckets",
    )
    api_rate = Whole(required=False, allow_null=True, min_value=0, max_value=MOST_RATE)
    auth_rate = Whole(required=False, allow_null=True, min_value=0, max_value=MOST_RATE)
    s3_rate = Whole(required=False, allow_null=True, min_value=0, max_value=MOST_RATE)


class TenantSerializer(serializers.ModelSerializer[Tenant]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    domains = serializers.SerializerMethodField(help_text="Host names that are verified")
    limits = LimitsSerializer(source="quota", read_only=True, allow_null=True)
    purge_waits_for = Text(
        source="purge_error", read_only=True, help_text="What keeps a deleted tenant from being purged"
    )

    class Meta:
        model = Tenant
        fields = [
            "id",
            "name",
            "slug",
            "status",
            "domains",
            "limits",
            "created_at",
            "suspended_at",
            "deleted_at",
            "purge_at",
            "purge_waits_for",
        ]

    def get_domains(self, tenant: Tenant) -> list[str]:
        return [domain.hostname for domain in tenant.domains.all() if domain.verified_at is not None]


class CreateTenantSerializer(Body):
    name = Text(max_length=200)
    slug = Text(max_length=63, validators=[SLUG])
    domain = Text(max_length=253, required=False, help_text="A host name that staff vouch for")
    max_storage_gb = serializers.FloatField(
        required=False, min_value=0, max_value=1e9, help_text="limits.storage_bytes in units of 1,024³"
    )
    limits = LimitsSerializer(required=False)
    settings = SettingsSerializer(required=False)


class UpdateTenantSerializer(Body):
    name = Text(max_length=200, required=False)
    status = serializers.ChoiceField(_SET_BY_STAFF, required=False)
    limits = LimitsSerializer(required=False)
    max_storage_gb = serializers.FloatField(required=False, min_value=0, max_value=1e9)


class PurgeSerializer(Body):
    slug = Text(max_length=63, help_text="The tenant's, to show that this one is meant")


class UsageSerializer(serializers.Serializer[Any]):
    """What a tenant uses, beside its limits (null: unlimited). What nothing counts yet has no usage."""

    usage = serializers.DictField(child=serializers.IntegerField())
    limits = LimitsSerializer()


class RecountSerializer(serializers.Serializer[Any]):
    was_right = serializers.BooleanField()


class TenantRowSerializer(LimitsSerializer):
    """A row of an export, as an import takes it."""

    name = Text(max_length=200)
    slug = Text(max_length=63)
    status = serializers.ChoiceField(_SET_BY_STAFF, required=False)
    domain = Text(required=False, allow_blank=True, help_text="Verified host names, parted by spaces")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**copy.deepcopy(self._declared_fields), **super().get_fields()}


class ImportTenantsSerializer(Body):
    tenants = serializers.ListField(
        child=serializers.DictField(),
        help_text="Objects with the columns of an export; name and slug at least",
    )
