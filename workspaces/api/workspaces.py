"""workspaces."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import F, Q
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from gateway.api.auth import principal
from gateway.api.views import ApiView
from workspaces.models import Workspace, WorkspaceShare
from workspaces.models.workspaces import WorkspaceQuerySet
from workspaces.providers import registry
from workspaces.providers.base import ProviderError
from workspaces.services import logs, samples, shares, waking, workspaces

from . import serializers as s

_SETTLED = Q(generation=F("observed_generation"))
_FAILED = Q(observed_state="failed")
_ASLEEP = Q(stopped_for="idle")
# The words of `Instance.state`, as conditions on rows that are not deleted.
STATES: dict[str, Q] = {
    "failed": _FAILED,
    "starting": ~_FAILED & ~_SETTLED & Q(desired_state="running"),
    "stopping": ~_FAILED & ~_SETTLED & Q(desired_state="stopped"),
    "deleting": ~_FAILED & ~_SETTLED & Q(desired_state="absent"),
    "running": _SETTLED & Q(observed_state="running"),
    "asleep": _SETTLED & Q(observed_state="stopped") & _ASLEEP,
    "stopped": _SETTLED & Q(observed_state="stopped") & ~_ASLEEP,
    "absent": _SETTLED & Q(observed_state="absent"),
}


def asked_of(request: Request, serializer: type[BaseSerializer[Any]]) -> dict[str, Any]:
    """The query's parameters after validation. Raises Invalid input (400) by name."""
    # As a plain mapping: of a form's data DRF takes an empty text for one that was not given.
    parsed = serializer(data=request.query_params.dict())
    parsed.is_valid(raise_exception=True)
    return dict(parsed.validated_data)


def shown(workspace: Workspace) -> Response:
    """200 where it is as it was wished, else 202."""
    return Response(s.WorkspaceSerializer(workspace).data, status=200 if workspace.is_settled else 202)


class WorkspacesView(ApiView):
    permissions = {"GET": "workspace.read", "POST": "workspace.write"}
    serializer_class = s.WorkspaceSerializer

    @extend_schema(parameters=[s.ListWorkspacesSerializer], responses=s.WorkspaceSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Those within the caller's reach, by name; deleted ones with `state=deleted`."""
        caller, asked = principal(request), asked_of(request, s.ListWorkspacesSerializer)
        rows: WorkspaceQuerySet = Workspace.objects.visible_to(caller).select_related("owner", "template")
        state = asked.get("state")
        rows = rows.exclude(deleted_at=None) if state == "deleted" else rows.present()
        if state and state != "deleted":
            rows = rows.filter(STATES[state])
        if owner := asked.get("owner"):
            rows = rows.filter(owner=caller.user) if owner == "me" else rows.filter(owner__username=owner)
        if q := asked.get("q"):
            rows = rows.filter(Q(name__icontains=q) | Q(description__icontains=q))
        return self.page(rows.order_by("name", "pk"), s.WorkspaceSerializer)

    @extend_schema(request=s.CreateWorkspaceSerializer, responses={202: s.WorkspaceSerializer})
    def post(self, request: Request) -> Response:
        """Make a workspace. It starts by itself: see `state`, or just call it."""
        made = workspaces.create_workspace(**self.body(s.CreateWorkspaceSerializer), actor=principal(request))
        return Response(s.WorkspaceSerializer(made).data, status=202)


class WorkspaceView(ApiView):
    permissions = {"GET": "workspace.read", "PATCH": "workspace.write", "DELETE": "workspace.write"}
    serializer_class = s.WorkspaceSerializer

    @extend_schema(responses=s.WorkspaceSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        found = workspaces.get_workspace(public_id, actor=principal(request))
        return Response(s.WorkspaceSerializer(found).data)

    @extend_schema(
        request=s.UpdateWorkspaceSerializer,
        responses={200: s.WorkspaceSerializer, 202: s.WorkspaceSerializer},
    )
    def patch(self, request: Request, public_id: UUID) -> Response:
        """Change, or resize. One that runs is made anew (202) for another environment, secret, port or limit."""
        caller = principal(request)
        found = workspaces.get_workspace(public_id, actor=caller)
        return shown(
            workspaces.update_workspace(found, **self.body(s.UpdateWorkspaceSerializer), actor=caller)
        )

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Stop and hide; it can be restored for some days."""
        caller = principal(request)
        workspaces.delete_workspace(workspaces.get_workspace(public_id, actor=caller), actor=caller)
        return Response(status=204)


class _VerbView(ApiView):
    """One verb of one workspace, without a body."""

    permissions: ClassVar[dict[str, str]] = {"POST": "workspace.write"}
    serializer_class = s.WorkspaceSerializer

    def act(self, request: Request, public_id: UUID, verb: Any) -> Response:
        caller = principal(request)
        return shown(verb(workspaces.get_workspace(public_id, actor=caller), actor=caller))


_ANSWERS = {200: s.WorkspaceSerializer, 202: s.WorkspaceSerializer}


class StartView(_VerbView):
    @extend_schema(request=None, responses=_ANSWERS)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Have it run; one that failed is tried again."""
        return self.act(request, public_id, workspaces.start_workspace)


class StopView(_VerbView):
    @extend_schema(request=None, responses=_ANSWERS)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Have it stop, until somebody starts it."""
        return self.act(request, public_id, workspaces.stop_workspace)


class RestartView(_VerbView):
    @extend_schema(request=None, responses=_ANSWERS)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Have it run from a new start."""
        return self.act(request, public_id, workspaces.restart_workspace)


class RestoreView(_VerbView):
    @extend_schema(request=None, responses=_ANSWERS)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Bring a deleted one back."""
        return self.act(request, public_id, workspaces.restore_workspace)


class PurgeView(_VerbView):
    @extend_schema(request=None, responses=_ANSWERS)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Remove a deleted one now and for good, with its volume and snapshots."""
        return self.act(request, public_id, workspaces.purge_workspace)


class WakeView(_VerbView):
    permissions = {"POST": "workspace.use"}

    @extend_schema(request=None, responses=_ANSWERS)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Have it run if idleness stopped it. A call of it does the same by itself."""
        return self.act(request, public_id, waking.wake)


class SharesView(ApiView):
    permissions = {"GET": "workspace.read", "POST": "workspace.write"}
    serializer_class = s.ShareSerializer

    @extend_schema(responses=s.ShareSerializer(many=True))
    def get(self, request: Request, public_id: UUID) -> Response:
        """Who else reaches it."""
        found = workspaces.get_workspace(public_id, actor=principal(request))
        rows = WorkspaceShare.objects.filter(workspace=found).select_related("user")
        return self.page(rows.order_by("user__username"), s.ShareSerializer)

    @extend_schema(request=s.CreateShareSerializer, responses={201: s.ShareSerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Let a member of the tenant reach it."""
        caller = principal(request)
        found = workspaces.get_workspace(public_id, actor=caller)
        made = shares.share(found, self.body(s.CreateShareSerializer)["user"], actor=caller)
        return Response(s.ShareSerializer(made).data, status=201)


class ShareView(ApiView):
    permissions = {"DELETE": "workspace.write"}
    serializer_class = s.ShareSerializer

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID, user_id: UUID) -> Response:
        caller = principal(request)
        shares.unshare(workspaces.get_workspace(public_id, actor=caller), user_id, actor=caller)
        return Response(status=204)


class LogsView(ApiView):
    permissions = {"GET": "workspace.read"}
    serializer_class = s.LinesSerializer

    @extend_schema(parameters=[s.LogsQuerySerializer], responses=s.LinesSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """The last lines that it wrote, oldest first."""
        found = workspaces.get_workspace(public_id, actor=principal(request))
        asked = asked_of(request, s.LogsQuerySerializer)
        return Response({"lines": logs.tail(found, asked["tail"])})


class StatsView(ApiView):
    permissions = {"GET": "workspace.read"}
    serializer_class = s.StatsSerializer

    @extend_schema(parameters=[s.StatsQuerySerializer], responses=s.StatsSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """What it uses, and used in the last hour, day or week."""
        found = workspaces.get_workspace(public_id, actor=principal(request))
        span: timedelta = samples.SPANS[asked_of(request, s.StatsQuerySerializer)["span"]]
        used = {
            "now": samples.now(found.key),
            "volume_bytes": _volume_bytes(found),
            "history": samples.history(found.key, span),
        }
        return Response(s.StatsSerializer(used).data)


def _volume_bytes(workspace: Workspace) -> int | None:
    try:
        return registry.provider(workspace.provider).volume_bytes(workspace.key)
    except (KeyError, ImportError, ProviderError):
        return None
