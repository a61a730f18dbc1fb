"""How backends look in the API."""

from __future__ import annotations

from django.core.validators import RegexValidator
from rest_framework import serializers

from gateway.api.fields import Body, Flag, Text
from storage.models import Backend

_NAME = RegexValidator(r"^[a-z0-9][a-z0-9-]{0,62}\Z", "Lower-case letters, digits and hyphens, at most 63.")


class BackendSerializer(serializers.ModelSerializer[Backend]):
    """Without its credentials, which are never shown again. `shared`: the platform's, for all tenants."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    shared = serializers.SerializerMethodField()
    capabilities = serializers.DictField(
        child=serializers.JSONField(), read_only=True, help_text="What its last test found that it can"
    )

    class Meta:
        model = Backend
        fields = [
            "id", "name", "kind", "shared", "is_default", "endpoint", "region", "path_style", "checksum_mode",
            "vendor", "ca_bundle", "capabilities", "created_at", "checked_at", "check_error",
            "failing_since",
        ]  # fmt: skip

    def get_shared(self, backend: Backend) -> bool:
        return backend.tenant_id is None


class _ConnectionSerializer(Body):
    endpoint = Text(max_length=300, required=False, help_text="https://host[:port]")
    region = Text(max_length=64, required=False)
    access_key = Text(max_length=200, required=False, write_only=True)
    secret_key = Text(
        max_length=500, required=False, write_only=True, trim_whitespace=False, allow_blank=True
    )
    path_style = Flag(required=False)
    checksum_mode = serializers.ChoiceField(Backend.ChecksumMode.choices, required=False)
    vendor = Text(
        max_length=32, required=False, allow_blank=True, help_text="Whose S3 it is; empty: the test finds out"
    )
    ca_bundle = Text(
        max_length=262_144, required=False, allow_blank=True, help_text="PEM certificates to trust instead"
    )
    is_default = Flag(required=False)


class CreateBackendSerializer(_ConnectionSerializer):
    name = Text(max_length=63, validators=[_NAME])
    kind = Text(max_length=16, default="s3")
    shared = Flag(default=False, help_text="Platform staff only")


class UpdateBackendSerializer(_ConnectionSerializer):
    name = Text(max_length=63, validators=[_NAME], required=False)
