"""How links to share look in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.fields import Body, Text, Whole
from storage.models import ShareLink
from storage.services.share_links import LASTS_AT_MOST

from .objects import ObjectNameSerializer


class ShareLinkSerializer(serializers.ModelSerializer[ShareLink]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    bucket = Text(source="bucket.name", read_only=True)
    user = Text(source="user.username", read_only=True)
    version_id = Text(read_only=True, help_text="Empty: what the key holds at the time")
    state = Text(
        read_only=True,
        help_text="`works`, `revoked`, `key_revoked` (the API key that it was made with) or `expired`",
    )

    class Meta:
        model = ShareLink
        fields = [
            "id", "bucket", "key", "version_id", "user", "state", "created_at", "expires_at", "revoked_at",
            "downloads_count", "downloaded_at",
        ]  # fmt: skip


class MadeShareLinkSerializer(ShareLinkSerializer):
    """With its URL, which is told this once."""

    url = serializers.SerializerMethodField()

    class Meta(ShareLinkSerializer.Meta):
        fields = [*ShareLinkSerializer.Meta.fields, "url"]

    def get_url(self, _: ShareLink) -> str:
        return str(self.context["url"])


class ListShareLinksSerializer(serializers.Serializer[Any]):
    bucket = Text(max_length=63, required=False, default="", allow_blank=True)
    key = Text(max_length=1024, required=False, default="", allow_blank=True, trim_whitespace=False)


class CreateShareLinkSerializer(ObjectNameSerializer, Body):
    version_id = Text(
        max_length=1024,
        required=False,
        default="",
        allow_blank=True,
        help_text="Empty: what the key holds when somebody downloads it",
    )
    expires_in = Whole(
        min_value=1, max_value=int(LASTS_AT_MOST.total_seconds()), default=86_400, help_text="Seconds"
    )
