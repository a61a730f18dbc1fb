"""workspaces/{id}/snapshots."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from gateway.downloads import attachment
from workspaces.models import VolumeSnapshot
from workspaces.services import snapshots, workspaces

from . import serializers as s
from .workspaces import shown


def _found(request: Request, public_id: UUID, snapshot_id: UUID) -> VolumeSnapshot:
    workspace = workspaces.get_workspace(public_id, actor=principal(request))
    return snapshots.get_snapshot(workspace, snapshot_id)


class SnapshotsView(ApiView):
    permissions = {"GET": "workspace.read", "POST": "workspace.write"}
    serializer_class = s.SnapshotSerializer

    @extend_schema(responses=s.SnapshotSerializer(many=True))
    def get(self, request: Request, public_id: UUID) -> Response:
        """The newest first."""
        workspace = workspaces.get_workspace(public_id, actor=principal(request))
        return self.page(VolumeSnapshot.objects.filter(workspace=workspace), s.SnapshotSerializer)

    @extend_schema(request=s.CreateSnapshotSerializer, responses={202: s.SnapshotSerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Copy the volume as it is; `state` says when the copy is there."""
        caller = principal(request)
        workspace = workspaces.get_workspace(public_id, actor=caller)
        made = snapshots.create_snapshot(workspace, **self.body(s.CreateSnapshotSerializer), actor=caller)
        return Response(s.SnapshotSerializer(made).data, status=202)


class ImportSnapshotView(ApiView):
    permissions = {"POST": "workspace.write"}
    serializer_class = s.SnapshotSerializer

    @extend_schema(request=s.ImportSnapshotSerializer, responses={202: s.SnapshotSerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        """A snapshot from an object of a bucket: a gzipped tar, as an export is."""
        caller = principal(request)
        workspace = workspaces.get_workspace(public_id, actor=caller)
        made = snapshots.import_snapshot(workspace, **self.body(s.ImportSnapshotSerializer), actor=caller)
        return Response(s.SnapshotSerializer(made).data, status=202)


class SnapshotView(ApiView):
    permissions = {"GET": "workspace.read", "DELETE": "workspace.write"}
    serializer_class = s.SnapshotSerializer

    @extend_schema(responses=s.SnapshotSerializer)
    def get(self, request: Request, public_id: UUID, snapshot_id: UUID) -> Response:
        return Response(s.SnapshotSerializer(_found(request, public_id, snapshot_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID, snapshot_id: UUID) -> Response:
        snapshots.delete_snapshot(_found(request, public_id, snapshot_id), actor=principal(request))
        return Response(status=204)


class RestoreSnapshotView(ApiView):
    permissions = {"POST": "workspace.write"}
    serializer_class = s.WorkspaceSerializer

    @extend_schema(request=None, responses={202: s.WorkspaceSerializer})
    def post(self, request: Request, public_id: UUID, snapshot_id: UUID) -> Response:
        """Replace the volume by the snapshot; one that runs stops for it and runs again."""
        found = _found(request, public_id, snapshot_id)
        return shown(snapshots.restore_snapshot(found, actor=principal(request)))


class ExportSnapshotView(ApiView):
    permissions = {"POST": "workspace.write"}
    serializer_class = s.SnapshotSerializer

    @extend_schema(request=s.ObjectNameSerializer, responses={202: s.SnapshotSerializer})
    def post(self, request: Request, public_id: UUID, snapshot_id: UUID) -> Response:
        """Copy it to an object of a bucket."""
        found = _found(request, public_id, snapshot_id)
        sent = snapshots.export_snapshot(found, **self.body(s.ObjectNameSerializer), actor=principal(request))
        return Response(s.SnapshotSerializer(sent).data, status=202)


class SnapshotContentView(ApiView):
    permissions = {"GET": "workspace.write"}
    serializer_class = s.SnapshotSerializer

    @extend_schema(responses={(200, "application/gzip"): OpenApiTypes.BINARY})
    def get(self, request: Request, public_id: UUID, snapshot_id: UUID) -> HttpResponseBase:
        """The gzipped tar."""
        found = _found(request, public_id, snapshot_id)
        pieces = snapshots.content(found, actor=principal(request))
        return attachment(
            pieces, "application/gzip", f"{found.workspace.name}-{found.public_id.hex[:8]}.tar.gz"
        )
