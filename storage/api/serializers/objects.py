"""How objects look in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.fields import Body, Text, Whole
from storage.models import Object


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
