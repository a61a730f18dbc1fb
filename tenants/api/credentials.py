"""api-keys."""

from __future__ import annotations

from datetime import timedelta
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


def issued(key: ApiKey, text: str, status: int = 201) -> Response:
    """The one answer that holds a key's text."""
    told = {
        "id": key.public_id,
        "name": key.name,
        "api_key": text,
        "warning": "Keep it now: it is not shown again.",
        "previous_until": key.previous_until,
    }
    return Response(s.IssuedApiKeySerializer(told).data, status=status)


class ApiKeysView(ApiView):
    permissions = {"GET": "api_key.write", "POST": "api_key.write"}
    serializer_class = s.ApiKeySerializer

    @extend_schema(responses=s.ApiKeySerializer(many=True))
    def get(self, request: Request) -> Response:
        """Own keys; service accounts' with service_account.write, all of the tenant's with api_key.manage."""
        return self.page(api_keys.visible(principal(request)), s.ApiKeySerializer)

    @extend_schema(request=s.CreateApiKeySerializer, responses={201: s.IssuedApiKeySerializer})
    def post(self, request: Request) -> Response:
        return issued(*api_keys.issue_key(**self.body(s.CreateApiKeySerializer), actor=principal(request)))


class ApiKeyView(ApiView):
    permissions = {"GET": "api_key.write", "PATCH": "api_key.write", "DELETE": "api_key.write"}
    serializer_class = s.ApiKeySerializer

    @extend_schema(responses=s.ApiKeySerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(s.ApiKeySerializer(_found(request, public_id)).data)

    @extend_schema(request=s.UpdateApiKeySerializer, responses=s.ApiKeySerializer)
    def patch(self, request: Request, public_id: UUID) -> Response:
        """Rename or narrow: fewer permissions, a sooner end, other addresses."""
        key = _found(request, public_id)
        changed = api_keys.update_key(key, self.body(s.UpdateApiKeySerializer), actor=principal(request))
        return Response(s.ApiKeySerializer(changed).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Revoke."""
        api_keys.revoke_key(_found(request, public_id), actor=principal(request))
        return Response(status=204)


class RotateApiKeyView(ApiView):
    permissions = {"POST": "api_key.write"}
    serializer_class = s.IssuedApiKeySerializer

    @extend_schema(request=s.RotateApiKeySerializer, responses=s.IssuedApiKeySerializer)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Another secret, shown this once; the present one works for `overlap_seconds` more."""
        key = _found(request, public_id)
        overlap = timedelta(seconds=self.body(s.RotateApiKeySerializer)["overlap_seconds"])
        return issued(*api_keys.rotate_key(key, overlap, actor=principal(request)), status=200)


def _found(request: Request, public_id: UUID) -> ApiKey:
    key: ApiKey = get_object_or_404(api_keys.visible(principal(request)), public_id=public_id)
    return key
