"""access-keys."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from storage.models import AccessKey
from storage.services import access_keys

from .serializers import access_keys as s


class AccessKeysView(ApiView):
    permissions = {"GET": "storage.access_key.write", "POST": "storage.access_key.write"}
    serializer_class = s.AccessKeySerializer

    @extend_schema(responses=s.AccessKeySerializer(many=True))
    def get(self, request: Request) -> Response:
        """Own keys; all of the tenant's with storage.access_key.manage."""
        return self.page(visible_keys(request), s.AccessKeySerializer)

    @extend_schema(request=s.CreateAccessKeySerializer, responses={201: s.IssuedAccessKeySerializer})
    def post(self, request: Request) -> Response:
        key, secret = access_keys.issue_access_key(
            **self.body(s.CreateAccessKeySerializer), actor=principal(request)
        )
        issued = {
            "id": key.public_id,
            "name": key.name,
            "access_key_id": key.access_key_id,
            "secret_access_key": secret,
            "warning": "Keep it now: it is not shown again.",
        }
        return Response(issued, status=201)


def visible_keys(request: Request) -> QuerySet[AccessKey]:
    caller = principal(request)
    rows = AccessKey.objects.visible_to(caller).filter(is_internal=False).select_related("user")
    return rows if caller.can("storage.access_key.manage") else rows.filter(user=caller.user)


class AccessKeyView(ApiView):
    permissions = {"GET": "storage.access_key.write", "DELETE": "storage.access_key.write"}
    serializer_class = s.AccessKeySerializer

    @extend_schema(responses=s.AccessKeySerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(
            s.AccessKeySerializer(get_object_or_404(visible_keys(request), public_id=public_id)).data
        )

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Revoke."""
        key = get_object_or_404(visible_keys(request), public_id=public_id)
        access_keys.revoke_access_key(key, actor=principal(request))
        return Response(status=204)
