"""services, and their ports."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q
from django.http import HttpResponseRedirect
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from workspaces.models import Port, Service
from workspaces.services import logs, managed, ports, samples

from . import serializers as shared
from . import services_serializers as s
from .workspaces import STATES, asked_of


def shown(service: Service) -> Response:
    """200 where it is as it was wished, else 202."""
    return Response(s.ServiceSerializer(service).data, status=200 if service.is_settled else 202)


class ServicesView(ApiView):
    permissions = {"GET": "service.read", "POST": "service.write"}
    serializer_class = s.ServiceSerializer

    @extend_schema(parameters=[s.ListServicesSerializer], responses=s.ServiceSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The tenant's, by name; deleted ones with `state=deleted`."""
        asked = asked_of(request, s.ListServicesSerializer)
        rows = Service.objects.visible_to(principal(request)).select_related("owner")
        state = asked.get("state")
        rows = rows.exclude(deleted_at=None) if state == "deleted" else rows.filter(deleted_at=None)
        if state and state != "deleted":
            rows = rows.filter(STATES[state])
        rows = rows.filter(**{field: asked[field] for field in ("kind", "health") if field in asked})
        if q := asked.get("q"):
            rows = rows.filter(Q(name__icontains=q) | Q(description__icontains=q))
        return self.page(rows.prefetch_related("ports").order_by("name", "pk"), s.ServiceSerializer)

    @extend_schema(
        request=s.CreateServiceSerializer,
        responses={201: s.ServiceSerializer, 202: s.ServiceSerializer},
    )
    def post(self, request: Request) -> Response:
        """Run a container (202: it starts by itself, see `state`), or register a service elsewhere (201)."""
        body, caller = self.body(s.CreateServiceSerializer), principal(request)
        make: Any = managed.register_external if "url" in body else managed.create_service
        made = make(**body, actor=caller)
        return Response(s.ServiceSerializer(made).data, status=201 if made.is_settled else 202)


class ServiceView(ApiView):
    permissions = {"GET": "service.read", "PATCH": "service.write", "DELETE": "service.write"}
    serializer_class = s.ServiceSerializer

    @extend_schema(responses=s.ServiceSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        found = managed.get_service(public_id, actor=principal(request))
        return Response(s.ServiceSerializer(found).data)

    @extend_schema(
        request=s.UpdateServiceSerializer, responses={200: s.ServiceSerializer, 202: s.ServiceSerializer}
    )
    def patch(self, request: Request, public_id: UUID) -> Response:
        """Change. A container that runs is made anew (202) for another image, command, variable or limit."""
        caller = principal(request)
        found = managed.get_service(public_id, actor=caller)
        return shown(managed.update_service(found, **self.body(s.UpdateServiceSerializer), actor=caller))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Stop and hide; it can be restored for some days, with its volumes and ports."""
        caller = principal(request)
        managed.delete_service(managed.get_service(public_id, actor=caller), actor=caller)
        return Response(status=204)


class _VerbView(ApiView):
    """One verb of one service, without a body."""

    permissions: ClassVar[dict[str, str]] = {"POST": "service.write"}
    serializer_class = s.ServiceSerializer

    def act(self, request: Request, public_id: UUID, verb: Any) -> Response:
        caller = principal(request)
        return shown(verb(managed.get_service(public_id, actor=caller), actor=caller))


_ANSWERS = {200: s.ServiceSerializer, 202: s.ServiceSerializer}


class StartView(_VerbView):
    @extend_schema(request=None, responses=_ANSWERS)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Have it run; one that failed is tried again. An external one is probed again."""
        return self.act(request, public_id, managed.start_service)


class StopView(_VerbView):
    @extend_schema(request=None, responses=_ANSWERS)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Have it stop, until somebody starts it. An external one is no longer probed."""
        return self.act(request, public_id, managed.stop_service)


class RestartView(_VerbView):
    @extend_schema(request=None, responses=_ANSWERS)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Have it run from a new start."""
        return self.act(request, public_id, managed.restart_service)


class RestoreView(_VerbView):
    @extend_schema(request=None, responses=_ANSWERS)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Bring a deleted one back."""
        return self.act(request, public_id, managed.restore_service)


class PurgeView(_VerbView):
    @extend_schema(request=None, responses=_ANSWERS)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Remove a deleted one now and for good, with its volumes and ports."""
        return self.act(request, public_id, managed.purge_service)


class PortsView(ApiView):
    permissions = {"GET": "service.read", "POST": "service.write"}
    serializer_class = s.PortSerializer

    @extend_schema(responses=s.PortSerializer(many=True))
    def get(self, request: Request, public_id: UUID) -> Response:
        found = managed.get_service(public_id, actor=principal(request))
        return self.page(Port.objects.filter(service=found).order_by("pk"), s.PortSerializer)

    @extend_schema(request=s.CreatePortSerializer, responses={201: s.PortSerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Give it one more port. The platform listens for it at once; the container goes on."""
        caller = principal(request)
        found = managed.get_service(public_id, actor=caller)
        wish: Any = self.body(s.CreatePortSerializer)
        return Response(s.PortSerializer(ports.add_port(found, wish, actor=caller)).data, status=201)


class PortView(ApiView):
    permissions = {"GET": "service.read", "PATCH": "service.write", "DELETE": "service.write"}
    serializer_class = s.PortSerializer

    @extend_schema(responses=s.PortSerializer)
    def get(self, request: Request, public_id: UUID, port_id: UUID) -> Response:
        return Response(s.PortSerializer(self._port(request, public_id, port_id)).data)

    @extend_schema(request=s.UpdatePortSerializer, responses=s.PortSerializer)
    def patch(self, request: Request, public_id: UUID, port_id: UUID) -> Response:
        port = self._port(request, public_id, port_id)
        changed = ports.update_port(port, **self.body(s.UpdatePortSerializer), actor=principal(request))
        return Response(s.PortSerializer(changed).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID, port_id: UUID) -> Response:
        """Take it away; its public port may be another's at once."""
        ports.remove_port(self._port(request, public_id, port_id), actor=principal(request))
        return Response(status=204)

    def _port(self, request: Request, public_id: UUID, port_id: UUID) -> Port:
        caller = principal(request)
        return ports.get_port(managed.get_service(public_id, actor=caller), port_id, actor=caller)


class LogsQuerySerializer(shared.LogsQuerySerializer):
    follow = serializers.BooleanField(
        default=False, help_text="Led on (307) to the stream of server-sent events, `logs/events`"
    )


class LogsView(ApiView):
    permissions = {"GET": "service.read"}
    serializer_class = shared.LinesSerializer

    @extend_schema(parameters=[LogsQuerySerializer], responses={200: shared.LinesSerializer, 307: None})
    def get(self, request: Request, public_id: UUID) -> Response | HttpResponseRedirect:
        """The last lines that it wrote, oldest first."""
        found = managed.get_service(public_id, actor=principal(request))
        asked = asked_of(request, LogsQuerySerializer)
        if asked["follow"]:  # a web thread is for nobody alone
            to = f"/api/v1/services/{public_id}/logs/events?tail={asked['tail']}"
            return HttpResponseRedirect(to, preserve_request=True)
        return Response({"lines": logs.tail(found, asked["tail"])})


class ServiceStatsSerializer(serializers.Serializer[Any]):
    now = shared.ReadingSerializer(allow_null=True)
    history = shared.ReadingSerializer(many=True)


class StatsView(ApiView):
    permissions = {"GET": "service.read"}
    serializer_class = ServiceStatsSerializer

    @extend_schema(parameters=[shared.StatsQuerySerializer], responses=ServiceStatsSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """What it uses, and used in the last hour, day or week."""
        found = managed.get_service(public_id, actor=principal(request))
        span: timedelta = samples.SPANS[asked_of(request, shared.StatsQuerySerializer)["span"]]
        used = {"now": samples.now(found.key), "history": samples.history(found.key, span)}
        return Response(ServiceStatsSerializer(used).data)
