"""tenants, their domains and usage."""

from __future__ import annotations

from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from gateway.db.scope import platform_scope, tenant_scope
from tenants.models import ApiKey, Domain, Membership, Tenant
from tenants.services import tenants

from .serializers import tenants as s


class TenantsView(ApiView):
    permissions = {"GET": "tenant.read", "POST": "platform.tenants"}
    serializer_class = s.TenantSerializer

    @extend_schema(responses=s.TenantSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The tenants the caller may see: their own, or all for platform staff."""
        with platform_scope("staff list all tenants; visible_to narrows everybody else"):
            return self.page(Tenant.objects.visible_to(principal(request)), s.TenantSerializer)

    @extend_schema(request=s.CreateTenantSerializer, responses={201: s.TenantSerializer})
    def post(self, request: Request) -> Response:
        body = self.body(s.CreateTenantSerializer)
        tenant = tenants.create_tenant(body["name"], body["slug"], actor=principal(request))
        return Response(s.TenantSerializer(tenant).data, status=201)


class TenantView(ApiView):
    permissions = {"GET": "tenant.read", "PATCH": "tenant.write"}
    serializer_class = s.TenantSerializer

    @extend_schema(responses=s.TenantSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(s.TenantSerializer(tenants.get_tenant(public_id, actor=principal(request))).data)

    @extend_schema(request=s.UpdateTenantSerializer, responses=s.TenantSerializer)
    def patch(self, request: Request, public_id: UUID) -> Response:
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        body = self.body(s.UpdateTenantSerializer)
        return Response(
            s.TenantSerializer(tenants.update_tenant(tenant, **body, actor=principal(request))).data
        )


class TenantDomainsView(ApiView):
    permissions = {"GET": "tenant.read", "POST": "platform.tenants"}
    serializer_class = s.DomainSerializer

    @extend_schema(responses=s.DomainSerializer(many=True))
    def get(self, request: Request, public_id: UUID) -> Response:
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        with tenant_scope(tenant.pk):
            return self.page(Domain.objects.filter(tenant=tenant), s.DomainSerializer)

    @extend_schema(request=s.DomainSerializer, responses={201: s.DomainSerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        domain = tenants.add_domain(
            tenant, self.body(s.DomainSerializer)["hostname"], actor=principal(request)
        )
        return Response(s.DomainSerializer(domain).data, status=201)


class TenantDomainView(ApiView):
    permissions = {"DELETE": "tenant.write"}

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID, domain_id: UUID) -> Response:
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        with tenant_scope(tenant.pk):
            domain = get_object_or_404(
                Domain.objects.select_related("tenant"), tenant=tenant, public_id=domain_id
            )
        tenants.remove_domain(domain, actor=principal(request))
        return Response(status=204)


class TenantUsageView(ApiView):
    permissions = {"GET": "tenant.read"}

    @extend_schema(responses=s.UsageSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        from storage.services import usage

        tenant = tenants.get_tenant(public_id, actor=principal(request))
        with tenant_scope(tenant.pk):
            used = {
                **usage.of_tenant(tenant.pk),
                "users": Membership.objects.filter(tenant=tenant, is_active=True).count(),
                "api_keys": ApiKey.objects.filter(tenant=tenant, revoked_at=None).count(),
            }
            return Response({"usage": used, "limits": s.LimitsSerializer(tenant.quota).data})
