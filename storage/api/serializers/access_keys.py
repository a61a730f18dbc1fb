"""How S3 access keys look in the API."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from rest_framework import serializers

from gateway.api.fields import Body, Id, Text, Whole
from storage.models import AccessKey
from tenants.services.key_rotation import LONGEST_OVERLAP


class AccessKeySerializer(serializers.ModelSerializer[AccessKey]):
    """A limit that is null is none."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    user = Text(source="user.username", read_only=True)
    permissions = serializers.ListField(child=Text(), read_only=True, allow_null=True)
    buckets = serializers.ListField(child=Text(), read_only=True, allow_null=True)
    prefixes = serializers.ListField(child=Text(), read_only=True, allow_null=True)
    actions = serializers.ListField(child=Text(), read_only=True, allow_null=True)
    allowed_networks = serializers.ListField(child=Text(), read_only=True)

    class Meta:
        model = AccessKey
        fields = [
            "id", "name", "access_key_id", "user", "permissions", "buckets", "prefixes", "actions",
            "allowed_networks", "created_at", "expires_at", "last_used_at", "revoked_at",
        ]  # fmt: skip


def _limit(most: int, text: str) -> serializers.ListField:
    child = Text(max_length=most, trim_whitespace=False)
    return serializers.ListField(
        child=child, required=False, allow_null=True, min_length=1, max_length=100, help_text=text
    )


class UpdateAccessKeySerializer(Body):
    name = Text(max_length=100, required=False)
    permissions = _limit(64, "Ours; null: all that the owner's role holds")
    buckets = _limit(127, "Names, another tenant's as `<tenant>:<bucket>`; null: every bucket")
    prefixes = _limit(1024, "Beginnings of keys; null: every key")
    actions = _limit(64, "S3's, with wildcards: `s3:Get*`; null: all")
    allowed_networks = serializers.ListField(
        child=Text(max_length=64), required=False, max_length=100, help_text="CIDR; empty: from everywhere"
    )
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, default_timezone=UTC, help_text="null: never"
    )


class CreateAccessKeySerializer(UpdateAccessKeySerializer):
    name = Text(max_length=100)
    service_account = Id(
        required=False, allow_null=True, default=None, help_text="Which it shall act as; null: the caller"
    )


class RotateAccessKeySerializer(Body):
    overlap_seconds = Whole(min_value=0, max_value=int(LONGEST_OVERLAP.total_seconds()), default=3600)


class IssuedAccessKeySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = Text()
    access_key_id = Text()
    secret_access_key = Text(help_text="Shown this once")
    warning = Text()
