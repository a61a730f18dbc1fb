"""How storage looks in the API."""

from __future__ import annotations

from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from gateway.api.fields import Body, Flag, Text, Whole
from storage.models import AccessKey, Backend, Bucket, Object

_NAME = RegexValidator(r"^[a-z0-9][a-z0-9-]{0,62}\Z", "Lower-case letters, digits and hyphens, at most 63.")


class BackendSerializer(serializers.ModelSerializer[Backend]):
    """Without its credentials, which are never shown again. `shared`: the platform's, for all tenants."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    shared = serializers.SerializerMethodField()

    class Meta:
        model = Backend
        fields = [
            "id", "name", "kind", "shared", "is_default", "endpoint", "region", "path_style", "checksum_mode",
            "created_at", "checked_at", "check_error",
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
    is_default = Flag(required=False)


class CreateBackendSerializer(_ConnectionSerializer):
    name = Text(max_length=63, validators=[_NAME])
    kind = Text(max_length=16, default="s3")
    shared = Flag(default=False, help_text="Platform staff only")


class UpdateBackendSerializer(_ConnectionSerializer):
    name = Text(max_length=63, validators=[_NAME], required=False)


class BucketSerializer(serializers.ModelSerializer[Bucket]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    backend = Text(source="placement.backend.name", read_only=True)
    ready = serializers.BooleanField(
        source="placement.is_settled", read_only=True, help_text="Whether it is there on its backend yet"
    )
    error = Text(source="placement.error", read_only=True)

    class Meta:
        model = Bucket
        fields = ["id", "name", "backend", "ready", "error", "created_at", "created_by"]


class CreateBucketSerializer(Body):
    name = Text(max_length=63, min_length=3)
    backend = Text(
        max_length=63, required=False, allow_null=True, default=None, help_text="Its name; null: the default"
    )

    policy = Text(required=False, allow_null=True, help_text="There are none yet: null")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.pop("policy", None) is not None:  # a bucket must not seem to be where a policy wants it
            raise serializers.ValidationError({"policy": ["Placement policies are not there yet."]})
        return attrs


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


class ObjectSerializer(serializers.ModelSerializer[Object]):
    class Meta:
        model = Object
        fields = ["key", "size", "etag", "content_type", "metadata", "last_modified", "writer"]


class ListObjectsSerializer(serializers.Serializer[Any]):
    bucket = Text(max_length=63)
    prefix = Text(max_length=1024, required=False, default="", allow_blank=True, trim_whitespace=False)


class ObjectNameSerializer(serializers.Serializer[Any]):
    bucket = Text(max_length=63)
    key = Text(max_length=1024, trim_whitespace=False)


class LinkRequestSerializer(ObjectNameSerializer, Body):
    method = serializers.ChoiceField(["GET", "PUT"], default="GET")
    expires_in = Whole(min_value=1, max_value=43_200, default=900, help_text="Seconds")


class LinkSerializer(serializers.Serializer[Any]):
    """A request that moves the object's bytes without further credentials."""

    method = serializers.ChoiceField(["GET", "PUT"])
    url = Text()
    expires_at = serializers.DateTimeField()
