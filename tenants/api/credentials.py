"""api-keys."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from tenants.models import ApiKey
from tenants.services import api_keys

from .serializers import credentials as s


class ApiKeysView(ApiView):
    permissions = {"GET": "api_key.write", "POST": "api_key.write"}
    serializer_class = s.ApiKeySerializer

    @extend_schema(responses=s.ApiKeySerializer(many=True))
    def get(self, request: Request) -> Response:
        """Own keys; all of the tenant's with api_key.manage."""
        return self.page(visible_keys(request), s.ApiKeySerializer)

    @extend_schema(request=s.CreateApiKeySerializer, responses={201: s.IssuedApiKeySerializer})
    def post(self, request: Request) -> Response:
        key, text = api_keys.issue_key(**self.body(s.CreateApiKeySerializer), actor=principal(request))
        issued = {
            "id": key.public_id,
            "name": key.name,
            "api_key": text,
            "warning": "Keep it now: it is not shown again.",
        }
        return Response(issued, status=201)


def visible_keys(request: Request) -> Any:
    caller = principal(request)
    rows = ApiKey.objects.visible_to(caller).select_related("user", "tenant")
    return rows if caller.can("api_key.manage") else rows.filter(user=caller.user)


class ApiKeyView(ApiView):
    permissions = {"GET": "api_key.write", "DELETE": "api_key.write"}
    serializer_class = s.ApiKeySerializer

    @extend_schema(responses=s.ApiKeySerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(
            s.ApiKeySerializer(get_object_or_404(visible_keys(request), public_id=public_id)).data
        )

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Revoke."""
        key = get_object_or_404(visible_keys(request), public_id=public_id)
        api_keys.revoke_key(key, actor=principal(request))
        return Response(status=204)
