"""How buckets look in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.fields import Body, Flag, Text, Whole
from storage.models import Bucket, UsageSample
from storage.services import bucket_settings, bucket_usage

MODES = [("GOVERNANCE", "GOVERNANCE"), ("COMPLIANCE", "COMPLIANCE")]
MOST_BYTES = (1 << 63) - 1


def _rule() -> serializers.DictField:
    return serializers.DictField(child=serializers.JSONField(allow_null=True))


class BucketSerializer(serializers.ModelSerializer[Bucket]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    backend = Text(source="placement.backend.name", read_only=True)
    ready = serializers.BooleanField(
        source="placement.is_settled", read_only=True, help_text="Whether it is there on its backend yet"
    )
    error = Text(source="placement.error", read_only=True)
    bytes = serializers.SerializerMethodField(help_text="Older versions included")
    objects_count = serializers.SerializerMethodField()

    class Meta:
        model = Bucket
        fields = [
            "id", "name", "backend", "ready", "error", "versioning", "object_lock", "bytes", "objects_count",
            "quota_bytes", "quota_objects", "created_at", "created_by",
        ]  # fmt: skip

    def get_bytes(self, bucket: Bucket) -> int:
        return bucket_usage.of(bucket).bytes

    def get_objects_count(self, bucket: Bucket) -> int:
        return bucket_usage.of(bucket).objects_count


class RetentionPeriodSerializer(Body):
    """`days` or `years`."""

    mode = serializers.ChoiceField(MODES)
    days = Whole(min_value=1, max_value=36_500, required=False)
    years = Whole(min_value=1, max_value=100, required=False)


class PublicAccessBlockSerializer(Body):
    """S3's own names; what is left out is off."""

    BlockPublicAcls = Flag(required=False)
    IgnorePublicAcls = Flag(required=False)
    BlockPublicPolicy = Flag(required=False)
    RestrictPublicBuckets = Flag(required=False)


class BucketDetailsSerializer(BucketSerializer):
    """With its settings; rules are as S3's JSON has them."""

    encryption = Text(read_only=True, help_text="AES256: objects are sealed unless they ask otherwise")
    default_retention = RetentionPeriodSerializer(read_only=True, allow_null=True)
    public_access_block = PublicAccessBlockSerializer(read_only=True, allow_null=True)
    blocks_public_access = serializers.SerializerMethodField(
        help_text="The four flags as they act: all on where the tenant may have no public buckets"
    )
    known_to_everybody = serializers.SerializerMethodField(
        help_text="Whether its policy opens it to others than the tenant, for whom its name is reserved"
    )
    has_policy = serializers.SerializerMethodField()
    cors = serializers.ListField(child=_rule(), read_only=True)
    lifecycle = serializers.ListField(child=_rule(), read_only=True)
    tags = serializers.DictField(child=Text(), read_only=True)
    notifications = serializers.DictField(child=serializers.JSONField(), read_only=True)

    class Meta(BucketSerializer.Meta):
        fields = [
            *BucketSerializer.Meta.fields, "encryption", "default_retention", "public_access_block",
            "blocks_public_access", "known_to_everybody", "has_policy", "cors", "lifecycle", "lifecycle_at", "tags",
            "notifications",
        ]  # fmt: skip

    def get_blocks_public_access(self, bucket: Bucket) -> dict[str, bool]:
        return bucket_settings.public_access_of(bucket)

    def get_known_to_everybody(self, bucket: Bucket) -> bool:
        return bucket.public_name is not None

    def get_has_policy(self, bucket: Bucket) -> bool:
        return bool(bucket.policy)


class CreateBucketSerializer(Body):
    name = Text(max_length=63, min_length=3)
    backend = Text(
        max_length=63, required=False, allow_null=True, default=None, help_text="Its name; null: the default"
    )
    object_lock = Flag(default=False, help_text="Its versions can be locked; cannot be undone")
    tags = serializers.DictField(
        child=Text(max_length=256, allow_blank=True, trim_whitespace=False), required=False
    )

    policy = Text(required=False, allow_null=True, help_text="There are none yet: null")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.pop("policy", None) is not None:  # a bucket must not seem to be where a policy wants it
            raise serializers.ValidationError({"policy": ["Placement policies are not there yet."]})
        return attrs


class UpdateBucketSerializer(Body):
    """Each setting that is named is replaced as a whole."""

    versioning = serializers.ChoiceField(
        [("Enabled", "Enabled"), ("Suspended", "Suspended")],
        required=False,
        help_text="There is no way back to neither",
    )
    object_lock = Flag(required=False, help_text="Needs versions; cannot be undone")
    default_retention = RetentionPeriodSerializer(required=False, allow_null=True)
    encryption = serializers.ChoiceField(
        [("AES256", "AES256"), ("", "none")],
        required=False,
        help_text="AES256, or empty: not sealed by default",
    )
    public_access_block = PublicAccessBlockSerializer(required=False, allow_null=True)
    cors = serializers.ListField(child=_rule(), required=False, max_length=100)
    lifecycle = serializers.ListField(child=_rule(), required=False, max_length=1000)
    tags = serializers.DictField(
        child=Text(max_length=256, allow_blank=True, trim_whitespace=False), required=False
    )
    notifications = serializers.DictField(child=serializers.JSONField(), required=False)
    quota_bytes = Whole(min_value=0, max_value=MOST_BYTES, required=False, allow_null=True)
    quota_objects = Whole(min_value=0, max_value=MOST_BYTES, required=False, allow_null=True)


class UsageSampleSerializer(serializers.ModelSerializer[UsageSample]):
    class Meta:
        model = UsageSample
        fields = ["at", "bytes", "objects_count"]


class BucketUsageQuerySerializer(serializers.Serializer[Any]):
    days = serializers.IntegerField(min_value=1, max_value=400, default=30, required=False)


class BucketUsageSerializer(serializers.Serializer[Any]):
    """Exact at every commit. `history`: samples, oldest first, with what is in unfinished uploads."""

    bytes = serializers.IntegerField(help_text="Older versions included")
    objects_count = serializers.IntegerField()
    upload_bytes = serializers.IntegerField(help_text="In parts of unfinished uploads")
    quota_bytes = serializers.IntegerField(allow_null=True)
    quota_objects = serializers.IntegerField(allow_null=True)
    history = UsageSampleSerializer(many=True)
