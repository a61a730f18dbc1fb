"""mcp, and workspaces/{id}/mcp.json: tools of workspaces, for programs that do not speak MCP and for those that do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.fields import Body, Id, Text, Whole
from gateway.api.views import ApiView
from workspaces.services import bridge, connecting, workspaces

from .workspaces import asked_of


class ToolsQuerySerializer(Body):
    workspace_id = Id()


class ToolSerializer(serializers.Serializer[Any]):
    """A tool as MCP describes it; what the server says beside these fields is told too."""

    name = serializers.CharField()
    title = serializers.CharField(required=False)
    description = serializers.CharField(required=False)
    inputSchema = serializers.JSONField(help_text="A JSON Schema of its parameters")
    outputSchema = serializers.JSONField(required=False)
    annotations = serializers.JSONField(required=False)


class InvokeSerializer(Body):
    workspace_id = Id()
    tool = Text(max_length=200)
    parameters = serializers.DictField(
        child=serializers.JSONField(allow_null=True), required=False, help_text="The tool's own"
    )
    timeout = Whole(
        min_value=1,
        max_value=bridge.MOST_SECONDS,
        default=bridge.DEFAULT_SECONDS,
        help_text="Seconds after which the tool is told to stop, and the answer is 504",
    )


class ResultSerializer(serializers.Serializer[Any]):
    """The tool's answer. Its own error is one too: look at `isError`."""

    content = serializers.ListField(child=serializers.JSONField(), help_text="Content blocks of MCP")
    structuredContent = serializers.JSONField(allow_null=True)
    isError = serializers.BooleanField()


class ToolsView(ApiView):
    permissions = {"GET": bridge.PERMISSION}
    serializer_class = ToolSerializer

    @extend_schema(parameters=[ToolsQuerySerializer], responses=ToolSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The tools of a workspace; one that sleeps is woken."""
        caller, asked = principal(request), asked_of(request, ToolsQuerySerializer)
        found = workspaces.get_workspace(asked["workspace_id"], actor=caller)
        return Response(bridge.list_tools(found, actor=caller))


class InvokeView(ApiView):
    permissions = {"POST": bridge.PERMISSION}
    serializer_class = ResultSerializer

    @extend_schema(request=InvokeSerializer, responses=ResultSerializer)
    def post(self, request: Request) -> Response:
        """Call a tool of a workspace; one that sleeps is woken. Programs that call many tools speak MCP instead."""
        caller, body = principal(request), self.body(InvokeSerializer)
        found = workspaces.get_workspace(body["workspace_id"], actor=caller)
        done = bridge.invoke(
            found, body["tool"], body.get("parameters", {}), actor=caller, seconds=body["timeout"]
        )
        return Response(
            {"content": done.content, "structuredContent": done.structured, "isError": done.is_error}
        )


class McpJsonQuerySerializer(Body):
    client = serializers.ChoiceField(list(connecting.CLIENTS), default="vscode")


class McpJsonView(ApiView):
    permissions = {"GET": "workspace.read"}
    serializer_class = serializers.Serializer

    @extend_schema(
        parameters=[McpJsonQuerySerializer],
        responses={200: {"type": "object"}},
        extensions={"x-plain": True},
    )
    def get(self, request: Request, public_id: UUID) -> Response:
        """What an MCP client's configuration says of the workspace, as the client's own file: VS Code's by default."""
        found = workspaces.get_workspace(public_id, actor=principal(request))
        response = Response(
            connecting.configuration(found, asked_of(request, McpJsonQuerySerializer)["client"])
        )
        response.enveloped = False  # type: ignore[attr-defined]
        return response
