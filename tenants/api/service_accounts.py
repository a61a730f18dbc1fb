"""service-accounts."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from tenants.models import ApiKey
from tenants.services import api_keys, service_accounts

from .credentials import issued
from .serializers import credentials as s


class ServiceAccountsView(ApiView):
    permissions = {"GET": "service_account.read", "POST": "service_account.write"}
    serializer_class = s.ServiceAccountSerializer

    @extend_schema(responses=s.ServiceAccountSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.page(service_accounts.visible(principal(request)), s.ServiceAccountSerializer)

    @extend_schema(request=s.CreateServiceAccountSerializer, responses={201: s.ServiceAccountSerializer})
    def post(self, request: Request) -> Response:
        body = self.body(s.CreateServiceAccountSerializer)
        made = service_accounts.create(body["name"], body["role"], actor=principal(request))
        return Response(s.ServiceAccountSerializer(made).data, status=201)


class ServiceAccountView(ApiView):
    permissions = {
        "GET": "service_account.read",
        "PATCH": "service_account.write",
        "DELETE": "service_account.write",
    }
    serializer_class = s.ServiceAccountSerializer

    @extend_schema(responses=s.ServiceAccountSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        found = service_accounts.get(public_id, actor=principal(request))
        return Response(s.ServiceAccountSerializer(found).data)

    @extend_schema(request=s.UpdateServiceAccountSerializer, responses=s.ServiceAccountSerializer)
    def patch(self, request: Request, public_id: UUID) -> Response:
        """Change the role, deactivate or reactivate."""
        caller = principal(request)
        found = service_accounts.get(public_id, actor=caller)
        changed = service_accounts.update(found, self.body(s.UpdateServiceAccountSerializer), actor=caller)
        return Response(s.ServiceAccountSerializer(changed).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Deactivate: its keys are refused."""
        caller = principal(request)
        service_accounts.update(
            service_accounts.get(public_id, actor=caller), {"is_active": False}, actor=caller
        )
        return Response(status=204)


class ServiceAccountKeysView(ApiView):
    permissions = {"GET": "service_account.read", "POST": "service_account.write"}
    serializer_class = s.ApiKeySerializer

    @extend_schema(responses=s.ApiKeySerializer(many=True))
    def get(self, request: Request, public_id: UUID) -> Response:
        caller = principal(request)
        owner = service_accounts.get(public_id, actor=caller)
        rows = ApiKey.objects.visible_to(caller).select_related("user", "tenant").filter(user=owner.user)
        return self.page(rows, s.ApiKeySerializer)

    @extend_schema(request=s.CreateApiKeySerializer, responses={201: s.IssuedApiKeySerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        """A key of the service account, shown this once."""
        caller = principal(request)
        owner = service_accounts.get(public_id, actor=caller)
        body = self.body(s.CreateApiKeySerializer)
        return issued(*api_keys.issue_key(**body, owner=owner, actor=caller))
