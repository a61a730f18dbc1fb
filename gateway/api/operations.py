"""health in the API, and what answers where there is nothing."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.errors import NotFound
from gateway.health import COMPONENT_STATUSES, STATUSES, look

from .views import ApiView


class ComponentSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(COMPONENT_STATUSES)
    latency_ms = serializers.FloatField(required=False, help_text="How long its answer took.")
    detail = serializers.CharField(required=False)


class HealthSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(STATUSES)
    components = serializers.DictField(child=ComponentSerializer())


class HealthView(ApiView):
    public = True
    authentication_classes: list[type] = []

    @extend_schema(responses={200: HealthSerializer, 503: HealthSerializer})
    def get(self, request: Request) -> Response:
        """Whether the platform's components work."""
        found = look()
        return Response(found.as_json(), status=found.http_status)


class NothingView(ApiView):
    """Any path of the API that does not exist: a caller is told so, anybody else to say who they are."""

    schema = None

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.http_method_not_allowed = self._nothing  # type: ignore[method-assign]
        return super().dispatch(request, *args, **kwargs)

    def _nothing(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        raise NotFound("There is no such path in the API.")
