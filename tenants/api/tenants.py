"""tenants, their settings and usage."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Invalid
from tenants.models import Tenant
from tenants.services import counts, deletion, quotas, settings, tenants, usage

from .serializers import tenants as s


class TenantsView(ApiView):
    permissions = {"GET": "tenant.read", "POST": "platform.tenants"}
    serializer_class = s.TenantSerializer

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "status", str, enum=list(Tenant.Status.values), description="Unset: active and suspended ones"
            )
        ],
        responses=s.TenantSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The tenants the caller may see: their own, or all for platform staff."""
        status = request.query_params.get("status")
        if status is not None and status not in Tenant.Status.values:
            raise Invalid(f"There is no status {status[:40]!r}.", errors={"status": ["Unknown."]})
        with platform_scope("staff list all tenants; visible_to narrows everybody else"):
            rows = Tenant.objects.visible_to(principal(request))
            rows = rows.select_related("quota").prefetch_related("domains")
            return self.page(rows.filter(status=status) if status else rows.present(), s.TenantSerializer)

    @extend_schema(request=s.CreateTenantSerializer, responses={201: s.TenantSerializer})
    def post(self, request: Request) -> Response:
        """Create one, with its domain, limits and settings in the same call."""
        body = self.body(s.CreateTenantSerializer)
        tenant = tenants.create_tenant(
            body["name"],
            body["slug"],
            hostnames=[body["domain"]] if "domain" in body else [],
            limits=quotas.wanted(body.get("limits"), body.get("max_storage_gb")),
            tenant_settings=body.get("settings"),
            actor=principal(request),
        )
        return _answer(tenant, 201)


def _answer(tenant: Tenant, status: int = 200) -> Response:
    """The tenant with its limits and host names."""
    with platform_scope("the verb, or get_tenant, let the caller see this one"):
        rows = Tenant.objects.select_related("quota").prefetch_related("domains")
        return Response(s.TenantSerializer(rows.get(pk=tenant.pk)).data, status=status)


class TenantView(ApiView):
    permissions = {"GET": "tenant.read", "PATCH": "tenant.write", "DELETE": "platform.tenants"}
    serializer_class = s.TenantSerializer

    @extend_schema(responses=s.TenantSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        return _answer(tenants.get_tenant(public_id, actor=principal(request)))

    @extend_schema(request=s.UpdateTenantSerializer, responses=s.TenantSerializer)
    def patch(self, request: Request, public_id: UUID) -> Response:
        """Rename; suspend, activate and limit (platform staff)."""
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        body = self.body(s.UpdateTenantSerializer)
        limits = quotas.wanted(body.pop("limits", None), body.pop("max_storage_gb", None))
        tenant = tenants.update_tenant(tenant, **body, limits=limits, actor=principal(request))
        return _answer(tenant)

    @extend_schema(responses={200: s.TenantSerializer})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Refuse and hide it from now on. It can be restored until `purge_at`, and is purged then."""
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        return _answer(deletion.delete_tenant(tenant, actor=principal(request)))


class RestoreTenantView(ApiView):
    permissions = {"POST": "platform.tenants"}

    @extend_schema(request=None, responses=s.TenantSerializer)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Bring a deleted tenant back."""
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        return _answer(deletion.restore_tenant(tenant, actor=principal(request)))


class PurgeTenantView(ApiView):
    permissions = {"POST": "platform.tenants"}

    @extend_schema(request=s.PurgeSerializer, responses={202: s.TenantSerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Remove a deleted tenant with everything it owns now, rather than at `purge_at`."""
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        slug = self.body(s.PurgeSerializer)["slug"]
        tenant = deletion.purge_now(tenant, slug, actor=principal(request))
        return _answer(tenant, 202)


class TenantSettingsView(ApiView):
    permissions = {"GET": "tenant.read", "PATCH": "tenant.write"}
    serializer_class = s.SettingsSerializer

    @extend_schema(responses=s.SettingsSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        return Response(_shown(settings.of_tenant(tenant)))

    @extend_schema(request=s.SettingsSerializer, responses=s.SettingsSerializer)
    def patch(self, request: Request, public_id: UUID) -> Response:
        """A tenant's administrators change `require_second_factor` and `audit_retention_days`, platform staff all."""
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        body = self.body(s.SettingsSerializer)
        return Response(_shown(settings.change(tenant, body, actor=principal(request))))


def _shown(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in settings.FIELDS}


class TenantUsageView(ApiView):
    permissions = {"GET": "tenant.read"}

    @extend_schema(responses=s.UsageSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """What is used as of now, beside the limits."""
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        with tenant_scope(tenant.pk):
            limits = s.LimitsSerializer(counts.limits(tenant.pk)).data
            return Response({"usage": usage.of_tenant(tenant.pk), "limits": limits})


class RecountView(ApiView):
    permissions = {"POST": "platform.tenants"}

    @extend_schema(request=None, responses=s.RecountSerializer)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Count what is stored anew, and put it right where it was wrong. The tenant's writes wait meanwhile."""
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        return Response({"was_right": usage.recount(tenant, actor=principal(request))})
