from __future__ import annotations

from typing import Any

from rest_framework import serializers

from realtime import cloudevents
from realtime.models import Event


class EventSerializer(serializers.Serializer[Event]):
    """CloudEvents 1.0. The fields are for the API's document; `to_representation` builds them."""

    specversion = serializers.CharField()
    id = serializers.CharField(help_text="Rises with time; a stream resumes after it")
    source = serializers.CharField()  # type: ignore[assignment]  # shadows an argument we do not use
    type = serializers.CharField()
    subject = serializers.CharField(required=False)
    time = serializers.DateTimeField()
    data = serializers.JSONField()  # type: ignore[assignment]  # `.data` is read of the list alone

    def to_representation(self, event: Event) -> dict[str, Any]:
        return cloudevents.of(event)


class TicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField(help_text="Good for one connection: ?ticket=")
    expires_in = serializers.IntegerField(help_text="Seconds")
