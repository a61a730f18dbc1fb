"""How objects and their versions look in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from gateway.api.fields import Body, Flag, Text, Whole
from storage.models import Object
from storage.services.bulk import MOST_KEYS
from storage.services.versions import Version

from .buckets import MODES


class ObjectSerializer(serializers.ModelSerializer[Object]):
    class Meta:
        model = Object
        fields = ["key", "version_id", "size", "etag", "content_type", "metadata", "last_modified", "writer"]


class LockSerializer(serializers.Serializer[Any]):
    mode = Text(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)
    held = serializers.BooleanField()


class ObjectDetailsSerializer(serializers.Serializer[Version]):
    """A version with all that is kept of it. A delete marker has no more than its version and time."""

    key = Text()
    version_id = Text()
    is_latest = serializers.BooleanField()
    is_delete_marker = serializers.BooleanField()
    size = serializers.IntegerField()
    etag = Text()
    content_type = Text()
    last_modified = serializers.DateTimeField()
    writer = Text()
    metadata = serializers.DictField(child=Text())
    headers = serializers.DictField(child=Text())
    checksums = serializers.DictField(child=Text(), help_text="Algorithm → Base64")
    tags = serializers.DictField(child=Text())
    lock = serializers.SerializerMethodField()
    sealed_with = Text(help_text="`SSE-S3`, `SSE-C`, or empty")
    parts = serializers.SerializerMethodField(help_text="Of how many it was made; null: in one piece")

    @extend_schema_field(LockSerializer)
    def get_lock(self, version: Version) -> dict[str, Any]:
        return {"mode": version.lock.get("mode"), "until": version.locked_until, "held": version.is_held}

    def get_parts(self, version: Version) -> int | None:
        return None if version.parts is None else len(version.parts)


class ListedVersionSerializer(serializers.Serializer[Any]):
    key = Text()
    version_id = Text()
    is_latest = serializers.BooleanField()
    is_delete_marker = serializers.BooleanField()
    size = serializers.IntegerField()
    etag = Text()
    last_modified = serializers.DateTimeField()


class VersionPageSerializer(serializers.Serializer[Any]):
    """`next_*` go into the next call's `after_*`; null: that was all."""

    versions = ListedVersionSerializer(many=True)
    prefixes = serializers.ListField(child=Text())
    next_key = Text(allow_null=True)
    next_version = Text(allow_null=True)


class ListObjectsSerializer(serializers.Serializer[Any]):
    bucket = Text(max_length=63)
    prefix = Text(max_length=1024, required=False, default="", allow_blank=True, trim_whitespace=False)


class ListVersionsSerializer(ListObjectsSerializer):
    delimiter = serializers.ChoiceField(
        [("", "none"), ("/", "/")],
        default="",
        required=False,
        help_text="`/`: one level; what is below is a prefix",
    )
    after_key = Text(max_length=1024, required=False, default="", allow_blank=True, trim_whitespace=False)
    after_version = Text(max_length=1024, required=False, default="", allow_blank=True)
    limit = serializers.IntegerField(min_value=1, max_value=1000, default=100, required=False)


class ObjectNameSerializer(serializers.Serializer[Any]):
    bucket = Text(max_length=63)
    key = Text(max_length=1024, trim_whitespace=False)


class VersionNameSerializer(ObjectNameSerializer):
    version_id = Text(
        max_length=1024, required=False, default="", allow_blank=True, help_text="Empty: the current object"
    )


class DeleteObjectSerializer(VersionNameSerializer):
    bypass_governance = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Also what is retained in governance mode; storage.object.lock",
    )


class ObjectBodySerializer(VersionNameSerializer, Body):
    """Names the version that is meant."""


class TagsSerializer(serializers.Serializer[Any]):
    tags = serializers.DictField(child=Text())


class PutTagsSerializer(ObjectBodySerializer):
    tags = serializers.DictField(
        child=Text(max_length=256, allow_blank=True, trim_whitespace=False),
        help_text="All of them, at most 10",
    )


class RetentionSerializer(ObjectBodySerializer):
    mode = serializers.ChoiceField(
        MODES, allow_null=True, help_text="null, with `until` null: locked no more"
    )
    until = serializers.DateTimeField(allow_null=True)
    bypass_governance = Flag(default=False)


class LegalHoldSerializer(ObjectBodySerializer):
    held = Flag()


class UndeleteSerializer(ObjectNameSerializer, Body):
    """Names what was deleted."""


class RestoreSerializer(ObjectNameSerializer, Body):
    version_id = Text(max_length=1024, help_text="The older version that shall be the current one again")


class KeySerializer(Body):
    key = Text(max_length=1024, trim_whitespace=False)
    version_id = Text(max_length=1024, required=False, default="", allow_blank=True)


class BulkDeleteSerializer(Body):
    """`objects`, or `prefix`."""

    bucket = Text(max_length=63)
    objects = serializers.ListField(child=KeySerializer(), required=False, max_length=MOST_KEYS)
    prefix = Text(
        max_length=1024,
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="Empty: all of the bucket",
    )
    all_versions = Flag(
        default=False, help_text="With `prefix`: older versions and delete markers too, for good"
    )
    after_key = Text(max_length=1024, required=False, default="", allow_blank=True, trim_whitespace=False)
    after_version = Text(max_length=1024, required=False, default="", allow_blank=True)
    bypass_governance = Flag(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("objects" in attrs) == ("prefix" in attrs):
            raise serializers.ValidationError({"objects": ["Send either objects or a prefix."]})
        return attrs


class RefusedSerializer(serializers.Serializer[Any]):
    key = Text()
    version_id = Text()
    reason = Text()


class BulkOutcomeSerializer(serializers.Serializer[Any]):
    """Where `next_key` is not null there is more: call again with it and `next_version` as `after_*`."""

    deleted = serializers.IntegerField(help_text="What was gone already is not counted")
    refused = RefusedSerializer(many=True)
    next_key = Text(allow_null=True)
    next_version = Text(allow_null=True)


class LinkRequestSerializer(ObjectNameSerializer, Body):
    method = serializers.ChoiceField(["GET", "PUT"], default="GET")
    version_id = Text(max_length=1024, required=False, default="", allow_blank=True, help_text="With GET")
    expires_in = Whole(min_value=1, max_value=43_200, default=900, help_text="Seconds")


class LinkSerializer(serializers.Serializer[Any]):
    """A request that moves the object's bytes without further credentials."""

    method = serializers.ChoiceField(["GET", "PUT"])
    url = Text()
    expires_at = serializers.DateTimeField()
