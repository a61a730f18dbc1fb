"""tenants/{id}/domains."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from gateway.db.scope import tenant_scope
from tenants.models import Domain
from tenants.services import domains, tenants

from .serializers import domains as s


class TenantDomainsView(ApiView):
    permissions = {"GET": "tenant.read", "POST": "domain.write"}
    serializer_class = s.DomainSerializer

    @extend_schema(responses=s.DomainSerializer(many=True))
    def get(self, request: Request, public_id: UUID) -> Response:
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        with tenant_scope(tenant.pk):
            return self.page(Domain.objects.filter(tenant=tenant), s.DomainSerializer)

    @extend_schema(request=s.CreateDomainSerializer, responses={201: s.DomainSerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Claim a host name. It routes requests to the tenant once it is verified."""
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        body = self.body(s.CreateDomainSerializer)
        domain = domains.add_domain(
            tenant, body["hostname"], verified=body.get("verified"), actor=principal(request)
        )
        return Response(s.DomainSerializer(domain).data, status=201)


class TenantDomainView(ApiView):
    permissions = {"GET": "tenant.read", "DELETE": "domain.write"}
    serializer_class = s.DomainSerializer

    @extend_schema(responses=s.DomainSerializer)
    def get(self, request: Request, public_id: UUID, domain_id: UUID) -> Response:
        return Response(s.DomainSerializer(_domain(request, public_id, domain_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID, domain_id: UUID) -> Response:
        domains.remove_domain(_domain(request, public_id, domain_id), actor=principal(request))
        return Response(status=204)


class VerifyDomainView(ApiView):
    permissions = {"POST": "domain.write"}

    @extend_schema(
        request=s.VerifyDomainSerializer, responses={200: s.DomainSerializer, 202: s.DomainSerializer}
    )
    def post(self, request: Request, public_id: UUID, domain_id: UUID) -> Response:
        """Look for the proof now: 202, and the domain's state and `error` say what was found. 200 once verified."""
        caller = principal(request)
        domain = _domain(request, public_id, domain_id)
        ask = domains.vouch if self.body(s.VerifyDomainSerializer)["vouch"] else domains.ask_check
        domain = ask(domain, actor=caller)
        return Response(s.DomainSerializer(domain).data, status=200 if domain.state == "verified" else 202)


def _domain(request: Request, public_id: UUID, domain_id: UUID) -> Domain:
    return domains.get_domain(tenants.get_tenant(public_id, actor=principal(request)), domain_id)
