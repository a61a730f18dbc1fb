"""How buckets look in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.fields import Body, Text
from storage.models import Bucket


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
