"""How services and their ports look in the API."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from rest_framework import serializers

from gateway.api.fields import Body, Text, Whole
from gateway.edge import further
from workspaces.models import Port, Service
from workspaces.services import instances

from .serializers import STATES


class PortSerializer(serializers.ModelSerializer[Port]):
    """`public_port` is where the platform listens, `address` how it is reached from outside.

    `error`: why the platform cannot listen there now; empty where it can.
    """

    id = serializers.UUIDField(source="public_id", read_only=True)
    address = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()

    class Meta:
        model = Port
        fields = [
            "id",
            "name",
            "container_port",
            "protocol",
            "access",
            "public_port",
            "address",
            "error",
            "created_at",
        ]

    def get_address(self, port: Port) -> str:
        host = urlsplit(settings.PUBLIC_BASE_URL).hostname or "localhost"
        where = f"{f'[{host}]' if ':' in host else host}:{port.public_port}"
        return where if port.protocol == Port.Protocol.TCP else f"http://{where}"

    def get_error(self, port: Port) -> str:
        return further.failures(settings.HOME).get(port.public_port, "")


class ServiceSerializer(serializers.ModelSerializer[Service]):
    """`state` is one word for people; `settled`: whether what was asked for last has come true.

    `error` says why it failed, or why it is not there yet; `health_error` what its probe found. Secrets are never shown
    again, only their names.
    """

    id = serializers.UUIDField(source="public_id", read_only=True)
    state = serializers.ChoiceField(STATES, read_only=True)
    settled = serializers.BooleanField(source="is_settled", read_only=True)
    owner = Text(source="owner.username", read_only=True, allow_null=True, default=None)
    secrets = serializers.SerializerMethodField()
    environment = serializers.DictField(child=Text(), read_only=True)
    volumes = serializers.DictField(child=Text(), read_only=True)
    command = serializers.ListField(child=Text(), read_only=True)
    ports = PortSerializer(many=True, read_only=True)
    url = Text(read_only=True, help_text="Of an external service; else empty")

    class Meta:
        model = Service
        fields = [
            "id", "name", "description", "kind", "owner", "provider", "image", "url", "state", "settled",
            "desired_state", "observed_state", "stopped_for", "error", "health", "health_error", "health_checked_at",
            "probe_path", "command", "environment", "secrets", "volumes", "ports", "memory_bytes", "cpu_millis", "pids",
            "created_at", "created_by", "started_at", "deleted_at", "purge_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_secrets(self, service: Service) -> list[str]:
        return instances.secret_names(service)


class _PortRules(Body):
    protocol = serializers.ChoiceField(Port.Protocol.choices, required=False, help_text="TCP is public only")
    access = serializers.ChoiceField(Port.Access.choices, required=False, help_text="Default: tenant")
    public_port = Whole(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=65_535,
        help_text="Where the platform shall listen; null: one is found",
    )


class CreatePortSerializer(_PortRules):
    name = Text(max_length=63)
    container_port = Whole(min_value=1, max_value=65_535)


class UpdatePortSerializer(_PortRules):
    name = Text(max_length=63, required=False)
    container_port = Whole(min_value=1, max_value=65_535, required=False)


class _Wishes(Body):
    description = Text(max_length=500, required=False, allow_blank=True)
    probe_path = Text(
        max_length=500,
        required=False,
        allow_blank=True,
        help_text="Of an HTTP probe of the first port, or of the URL",
    )
    command = serializers.ListField(
        child=Text(allow_blank=True, trim_whitespace=False),
        required=False,
        help_text="Arguments; none: the image's",
    )
    environment = serializers.DictField(
        child=Text(allow_blank=True, trim_whitespace=False),
        required=False,
        help_text="Names in capital letters",
    )
    memory_bytes = Whole(required=False)
    cpu_millis = Whole(required=False, help_text="Thousandths of a core")
    pids = Whole(required=False)


class CreateServiceSerializer(_Wishes):
    """A container, by its `image`; or, by its `url` and nothing of containers, something that runs elsewhere."""

    name = Text(max_length=63)
    image = Text(max_length=255, required=False)
    url = Text(max_length=500, required=False)
    secrets = serializers.DictField(
        child=Text(trim_whitespace=False),
        required=False,
        write_only=True,
        help_text="Like environment, but kept encrypted",
    )
    volumes = serializers.DictField(
        child=Text(max_length=255), required=False, help_text="Name → absolute path in the container"
    )
    ports = serializers.ListField(child=CreatePortSerializer(), required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("image" in attrs) == ("url" in attrs):
            raise serializers.ValidationError(
                {"image": ["Give an image, or the url of an external service."]}
            )
        if "url" in attrs and (
            strange := sorted(attrs.keys() - {"name", "url", "description", "probe_path"})
        ):
            raise serializers.ValidationError({each: ["An external service has none."] for each in strange})
        return attrs


class UpdateServiceSerializer(_Wishes):
    image = Text(max_length=255, required=False)
    url = Text(max_length=500, required=False)
    secrets = serializers.DictField(
        child=Text(trim_whitespace=False, allow_null=True),
        required=False,
        write_only=True,
        help_text="Those that change; null removes one",
    )


class ListServicesSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(STATES, required=False)
    kind = serializers.ChoiceField(Service.Kind.choices, required=False)
    health = serializers.ChoiceField(Service.Health.choices, required=False)
    q = Text(max_length=100, required=False, help_text="Part of the name or description")
