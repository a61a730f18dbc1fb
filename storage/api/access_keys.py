"""access-keys."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from storage.models import AccessKey
from storage.services import access_key_reach, access_keys
from tenants.services import service_accounts

from .serializers import access_keys as s

WRITE = "storage.access_key.write"


def _issued(key: AccessKey, secret: str, status: int = 201) -> Response:
    """The one answer that holds a key's secret."""
    told = {
        "id": key.public_id,
        "name": key.name,
        "access_key_id": key.access_key_id,
        "secret_access_key": secret,
        "warning": "Keep it now: it is not shown again.",
    }
    return Response(s.IssuedAccessKeySerializer(told).data, status=status)


def _found(request: Request, public_id: UUID) -> AccessKey:
    key: AccessKey = get_object_or_404(access_keys.visible(principal(request)), public_id=public_id)
    return key


class AccessKeysView(ApiView):
    permissions = {"GET": WRITE, "POST": WRITE}
    serializer_class = s.AccessKeySerializer

    @extend_schema(responses=s.AccessKeySerializer(many=True))
    def get(self, request: Request) -> Response:
        """Own keys; service accounts' with service_account.write, all with storage.access_key.manage."""
        return self.page(access_keys.visible(principal(request)), s.AccessKeySerializer)

    @extend_schema(request=s.CreateAccessKeySerializer, responses={201: s.IssuedAccessKeySerializer})
    def post(self, request: Request) -> Response:
        """Make a key, within limits if some are named. Its secret is in this answer alone."""
        caller, asked = principal(request), self.body(s.CreateAccessKeySerializer)
        name, account = asked.pop("name"), asked.pop("service_account")
        owner = service_accounts.get(account, actor=caller) if account else None
        return _issued(
            *access_keys.issue_access_key(name, access_key_reach.Limits(**asked), owner=owner, actor=caller)
        )


class AccessKeyView(ApiView):
    permissions = {"GET": WRITE, "PATCH": WRITE, "DELETE": WRITE}
    serializer_class = s.AccessKeySerializer

    @extend_schema(responses=s.AccessKeySerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(s.AccessKeySerializer(_found(request, public_id)).data)

    @extend_schema(request=s.UpdateAccessKeySerializer, responses=s.AccessKeySerializer)
    def patch(self, request: Request, public_id: UUID) -> Response:
        """Rename it or change its limits: its owner, signed in, as they like; anybody else only narrows."""
        changes = self.body(s.UpdateAccessKeySerializer)
        changed = access_keys.update_access_key(_found(request, public_id), changes, actor=principal(request))
        return Response(s.AccessKeySerializer(changed).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Revoke."""
        access_keys.revoke_access_key(_found(request, public_id), actor=principal(request))
        return Response(status=204)


class RotateAccessKeyView(ApiView):
    permissions = {"POST": WRITE}
    serializer_class = s.IssuedAccessKeySerializer

    @extend_schema(request=s.RotateAccessKeySerializer, responses={201: s.IssuedAccessKeySerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        """A new key with the same limits in place of this one, which works for `overlap_seconds` more."""
        overlap = timedelta(seconds=self.body(s.RotateAccessKeySerializer)["overlap_seconds"])
        key = _found(request, public_id)
        return _issued(*access_keys.rotate_access_key(key, overlap, actor=principal(request)))
