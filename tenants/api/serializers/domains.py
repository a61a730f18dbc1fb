"""How domains look in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from gateway.api.fields import Body, Flag, Text
from tenants.models import Domain
from tenants.services import proofs

STATES = ("pending", "verified", "failing")


class DnsChallengeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    type = serializers.CharField()
    value = serializers.CharField()


class HttpChallengeSerializer(serializers.Serializer[Any]):
    url = serializers.CharField()
    body = serializers.CharField()


class ChallengeSerializer(serializers.Serializer[Any]):
    """Either shows that the name is yours."""

    dns = DnsChallengeSerializer()
    http = HttpChallengeSerializer()


class DomainSerializer(serializers.ModelSerializer[Domain]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    state = serializers.ChoiceField(STATES, read_only=True)
    error = serializers.CharField(source="check_error", read_only=True)
    challenge = serializers.SerializerMethodField()

    class Meta:
        model = Domain
        fields = [
            "id", "hostname", "state", "method", "challenge", "error", "created_at", "verified_at", "checked_at",
            "next_check_at", "lost_at",
        ]  # fmt: skip

    @extend_schema_field(ChallengeSerializer)
    def get_challenge(self, domain: Domain) -> dict[str, Any]:
        return {
            "dns": {"name": proofs.record_name(domain.hostname), "type": "TXT", "value": domain.token},
            "http": {"url": proofs.address(domain.hostname, domain.token), "body": domain.token},
        }


class CreateDomainSerializer(Body):
    hostname = Text(max_length=253)
    verified = Flag(
        required=False, help_text="Platform staff vouch for it, as they do where this is not given"
    )


class VerifyDomainSerializer(Body):
    vouch = Flag(required=False, default=False, help_text="Platform staff declare it verified")
