"""How workspaces, templates and snapshots look in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.fields import Body, Flag, Text, Whole
from workspaces.models import Template, VolumeSnapshot, Workspace, WorkspaceShare
from workspaces.services import instances

STATES = ["starting", "running", "stopping", "stopped", "asleep", "failed", "deleting", "deleted", "absent"]


class WorkspaceSerializer(serializers.ModelSerializer[Workspace]):
    """`state` is one word for people; `settled`: whether what was asked for last has come true.

    `error` says why it failed, or why it is not there yet. Secrets are never shown again, only their names.
    """

    id = serializers.UUIDField(source="public_id", read_only=True)
    state = serializers.ChoiceField(STATES, read_only=True)
    settled = serializers.BooleanField(source="is_settled", read_only=True)
    owner = Text(source="owner.username", read_only=True, allow_null=True, default=None)
    template = Text(source="template.name", read_only=True, allow_null=True, default=None)
    secrets = serializers.SerializerMethodField()
    environment = serializers.DictField(child=Text(), read_only=True)
    ports = serializers.DictField(child=serializers.IntegerField(), read_only=True)
    metadata = serializers.DictField(child=serializers.JSONField(), read_only=True)

    class Meta:
        model = Workspace
        fields = [
            "id", "name", "description", "owner", "template", "provider", "state", "settled", "desired_state",
            "observed_state", "stopped_for", "error", "metadata", "environment", "secrets", "git_url", "git_branch",
            "repository_state", "repository_error", "ports", "memory_bytes", "cpu_millis", "pids", "idle_minutes",
            "run_command", "volume_bytes", "created_at", "created_by", "started_at", "last_active_at", "deleted_at",
            "purge_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_secrets(self, workspace: Workspace) -> list[str]:
        return instances.secret_names(workspace)


class _Wishes(Body):
    description = Text(max_length=500, required=False, allow_blank=True)
    metadata = serializers.DictField(
        child=serializers.JSONField(allow_null=True), required=False, help_text="At most 16 KiB of JSON"
    )
    environment = serializers.DictField(
        child=Text(allow_blank=True, trim_whitespace=False),
        required=False,
        help_text="Names in capital letters",
    )
    ports = serializers.DictField(
        child=Whole(), required=False, help_text="Name → number: reached at /ws/<workspace>/<name>/"
    )
    memory_bytes = Whole(required=False)
    cpu_millis = Whole(required=False, help_text="Thousandths of a core")
    pids = Whole(required=False)
    idle_minutes = Whole(required=False, help_text="Stopped after so long without use; 0: never")


class CreateWorkspaceSerializer(_Wishes):
    """What is not said is the template's."""

    name = Text(max_length=63)
    template = Text(
        max_length=63,
        required=False,
        allow_null=True,
        default=None,
        help_text="Its name or id; null: the default",
    )
    git_url = Text(max_length=500, required=False, allow_blank=True, help_text="http or https")
    git_branch = Text(max_length=255, required=False, allow_blank=True)
    secrets = serializers.DictField(
        child=Text(trim_whitespace=False),
        required=False,
        write_only=True,
        help_text="Like environment, but kept encrypted; GIT_USERNAME and GIT_PASSWORD are for git_url",
    )


class UpdateWorkspaceSerializer(_Wishes):
    secrets = serializers.DictField(
        child=Text(trim_whitespace=False, allow_null=True),
        required=False,
        write_only=True,
        help_text="Those that change; null removes one",
    )


class ListWorkspacesSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(STATES, required=False)
    owner = Text(max_length=150, required=False, help_text="A username; me: the caller's own")
    q = Text(max_length=100, required=False, help_text="Part of the name or description")


class ShareSerializer(serializers.ModelSerializer[WorkspaceShare]):
    id = serializers.UUIDField(source="user.public_id", read_only=True)
    username = Text(source="user.username", read_only=True)

    class Meta:
        model = WorkspaceShare
        fields = ["id", "username", "created_at", "created_by"]


class CreateShareSerializer(Body):
    user = Text(max_length=150, help_text="The username or id of a member of the tenant")


class SnapshotSerializer(serializers.ModelSerializer[VolumeSnapshot]):
    id = serializers.UUIDField(source="public_id", read_only=True)

    class Meta:
        model = VolumeSnapshot
        fields = [
            "id",
            "name",
            "state",
            "size_bytes",
            "sha256",
            "target",
            "error",
            "created_at",
            "created_by",
        ]


class CreateSnapshotSerializer(Body):
    name = Text(max_length=100)


class ObjectNameSerializer(Body):
    bucket = Text(max_length=63)
    key = Text(max_length=1024, trim_whitespace=False)


class ImportSnapshotSerializer(ObjectNameSerializer):
    name = Text(max_length=100)


class LinesSerializer(serializers.Serializer[Any]):
    lines = serializers.ListField(child=Text())


class LogsQuerySerializer(serializers.Serializer[Any]):
    tail = serializers.IntegerField(min_value=1, max_value=5000, default=200)


class StatsQuerySerializer(serializers.Serializer[Any]):
    span = serializers.ChoiceField(["1h", "24h", "7d"], default="1h")


class ReadingSerializer(serializers.Serializer[Any]):
    """What was used at, or up to, a moment; bytes of the network count since the start."""

    at = serializers.DateTimeField()
    cpu_millis = serializers.IntegerField()
    memory_bytes = serializers.IntegerField()
    pids = serializers.IntegerField()
    received_bytes = serializers.IntegerField()
    sent_bytes = serializers.IntegerField()


class StatsSerializer(serializers.Serializer[Any]):
    now = ReadingSerializer(allow_null=True)
    volume_bytes = serializers.IntegerField(allow_null=True)
    history = ReadingSerializer(many=True)


class TemplateSerializer(serializers.ModelSerializer[Template]):
    """`shared`: the platform's, for all tenants."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    shared = serializers.SerializerMethodField()
    environment = serializers.DictField(child=Text(), read_only=True)
    ports = serializers.DictField(child=serializers.IntegerField(), read_only=True)
    required_secrets = serializers.ListField(child=Text(), read_only=True)

    class Meta:
        model = Template
        fields = [
            "id", "name", "description", "shared", "is_default", "provider", "image", "environment",
            "required_secrets", "ports", "memory_bytes", "cpu_millis", "pids", "idle_minutes", "run_command",
            "created_at",
        ]  # fmt: skip

    def get_shared(self, template: Template) -> bool:
        return template.tenant_id is None


class UpdateTemplateSerializer(Body):
    name = Text(max_length=63, required=False)
    description = Text(max_length=500, required=False, allow_blank=True)
    is_default = Flag(required=False)
    provider = Text(max_length=16, required=False, allow_blank=True)
    image = Text(max_length=255, required=False, allow_blank=True)
    environment = serializers.DictField(child=Text(allow_blank=True, trim_whitespace=False), required=False)
    required_secrets = serializers.ListField(child=Text(max_length=128), required=False)
    ports = serializers.DictField(child=Whole(), required=False)
    memory_bytes = Whole(required=False)
    cpu_millis = Whole(required=False)
    pids = Whole(required=False)
    idle_minutes = Whole(required=False)
    run_command = Flag(required=False)


class CreateTemplateSerializer(UpdateTemplateSerializer):
    name = Text(max_length=63)
    shared = Flag(default=False, help_text="Platform staff only")


class ProviderSerializer(serializers.Serializer[Any]):
    """Where something can run. `reason`: why not; `not_isolated`: what it does not keep apart."""

    name = Text()
    available = serializers.BooleanField(source="availability.ok")
    reason = Text(source="availability.reason")
    not_isolated = serializers.ListField(child=Text(), source="availability.not_isolated")
    capabilities = serializers.SerializerMethodField()

    def get_capabilities(self, offer: Any) -> list[str]:
        return sorted(offer.capabilities)
