"""tenants, users, roles, api-keys, audit."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Invalid
from tenants.models import ApiKey, AuditEntry, Domain, Membership, Role, Tenant
from tenants.services import api_keys, tenants, users

from . import serializers as s


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


class TenantUsersView(ApiView):
    permissions = {"GET": "user.read", "POST": "user.write"}
    serializer_class = s.MemberSerializer

    @extend_schema(responses=s.MemberSerializer(many=True))
    def get(self, request: Request, public_id: UUID) -> Response:
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        with tenant_scope(tenant.pk):
            return self.page(members().filter(tenant=tenant), s.MemberSerializer)

    @extend_schema(request=s.CreateUserSerializer, responses={201: s.MemberSerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        body = self.body(s.CreateUserSerializer)
        membership = users.create_user(tenant, **body, actor=principal(request))
        return Response(s.MemberSerializer(membership).data, status=201)


def members() -> Any:
    return Membership.objects.select_related("user", "role")


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


class RolesView(ApiView):
    permissions = {"GET": "user.read"}
    serializer_class = s.RoleSerializer

    @extend_schema(responses=s.RoleSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.page(Role.objects.visible_to(principal(request)), s.RoleSerializer)


class UsersView(ApiView):
    permissions = {"GET": "user.read"}
    serializer_class = s.MemberSerializer

    @extend_schema(responses=s.MemberSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The members of the tenant acted in."""
        return self.page(members().visible_to(principal(request)), s.MemberSerializer)


class UserView(ApiView):
    permissions = {"GET": "user.read", "PATCH": "user.write", "PUT": "user.write", "DELETE": "user.write"}
    serializer_class = s.MemberSerializer

    @extend_schema(responses=s.MemberSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(s.MemberSerializer(users.get_membership(public_id, actor=principal(request))).data)

    @extend_schema(request=s.UpdateUserSerializer, responses=s.MemberSerializer)
    def patch(self, request: Request, public_id: UUID) -> Response:
        """Change the role, deactivate or reactivate."""
        caller = principal(request)
        membership = users.get_membership(public_id, actor=caller)
        body = self.body(s.UpdateUserSerializer)
        if "role" in body:
            users.assign_role(membership, body["role"], actor=caller)
        if "is_active" in body:
            change = users.reactivate_user if body["is_active"] else users.deactivate_user
            change(membership, actor=caller)
        return Response(s.MemberSerializer(users.get_membership(public_id, actor=caller)).data)

    @extend_schema(request=s.UpdateUserSerializer, responses=s.MemberSerializer)
    def put(self, request: Request, public_id: UUID) -> Response:
        return self.patch(request, public_id)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Deactivate: credentials end, what the user made stays."""
        caller = principal(request)
        users.deactivate_user(users.get_membership(public_id, actor=caller), actor=caller)
        return Response(status=204)


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


_AUDIT_FILTERS = [
    OpenApiParameter("action", str, description="Exact, or a prefix that ends with a dot"),
    OpenApiParameter("actor", str),
    OpenApiParameter("target", str),
    OpenApiParameter("request_id", str),
    OpenApiParameter("since", {"type": "string", "format": "date-time"}),
    OpenApiParameter("until", {"type": "string", "format": "date-time"}),
]


class AuditView(ApiView):
    permissions = {"GET": "audit.read"}
    serializer_class = s.AuditEntrySerializer

    @extend_schema(parameters=_AUDIT_FILTERS, responses=s.AuditEntrySerializer(many=True))
    def get(self, request: Request) -> Response:
        """What was done in the tenant, newest first."""
        rows = AuditEntry.objects.visible_to(principal(request))
        asked = request.query_params
        if any("\0" in value for value in asked.values()):
            raise Invalid("A filter holds a NUL character.")
        for field in ("actor", "target", "request_id"):
            if value := asked.get(field):
                rows = rows.filter(**{field: value})
        if action := asked.get("action"):
            rows = (
                rows.filter(action__startswith=action) if action.endswith(".") else rows.filter(action=action)
            )
        for bound, lookup in (("since", "at__gte"), ("until", "at__lt")):
            if (value := asked.get(bound)) is not None:
                rows = rows.filter(**{lookup: _moment(bound, value)})
        return self.page(rows, s.AuditEntrySerializer)


def _moment(name: str, value: str) -> Any:
    try:
        moment = parse_datetime(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Invalid(
            f"{name} is not a time with its zone (RFC 3339).", errors={name: ["Not a time with its zone."]}
        )
    return moment
