"""backends."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from storage.models import Backend
from storage.services import backends

from .serializers import backends as s


class BackendsView(ApiView):
    permissions = {"GET": "storage.backend.read", "POST": "storage.backend.write"}
    serializer_class = s.BackendSerializer

    @extend_schema(responses=s.BackendSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The tenant's own backends and those that the platform shares."""
        return self.page(Backend.objects.visible_to(principal(request)), s.BackendSerializer)

    @extend_schema(request=s.CreateBackendSerializer, responses={201: s.BackendSerializer})
    def post(self, request: Request) -> Response:
        """Add a backend. Try it with `/check`."""
        made = backends.create_backend(**self.body(s.CreateBackendSerializer), actor=principal(request))
        return Response(s.BackendSerializer(made).data, status=201)


class BackendView(ApiView):
    permissions = {
        "GET": "storage.backend.read",
        "PATCH": "storage.backend.write",
        "DELETE": "storage.backend.write",
    }
    serializer_class = s.BackendSerializer

    @extend_schema(responses=s.BackendSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(s.BackendSerializer(backends.get_backend(public_id, actor=principal(request))).data)

    @extend_schema(request=s.UpdateBackendSerializer, responses=s.BackendSerializer)
    def patch(self, request: Request, public_id: UUID) -> Response:
        caller = principal(request)
        backend = backends.get_backend(public_id, actor=caller)
        changed = backends.update_backend(backend, **self.body(s.UpdateBackendSerializer), actor=caller)
        return Response(s.BackendSerializer(changed).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Forget a backend that holds no bucket."""
        caller = principal(request)
        backends.delete_backend(backends.get_backend(public_id, actor=caller), actor=caller)
        return Response(status=204)


class BackendCheckView(ApiView):
    permissions = {"POST": "storage.backend.write"}
    serializer_class = s.BackendSerializer

    @extend_schema(request=None, responses=s.BackendSerializer)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Try the connection now: `check_error` says what is wrong (empty: nothing), `capabilities` what it can."""
        caller = principal(request)
        checked = backends.check_backend(backends.get_backend(public_id, actor=caller), actor=caller)
        return Response(s.BackendSerializer(checked).data)
