"""Users and roles."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from gateway.db.scope import tenant_scope
from tenants.models import Membership, Role
from tenants.services import tenants, users

from .serializers import people as s


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
