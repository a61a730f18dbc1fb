"""Roles, and the permissions that they are made of."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from tenants.models import Role
from tenants.permissions import GROUPS
from tenants.services import roles

from .serializers import people as s


class PermissionsView(ApiView):
    pagination_class = None

    @extend_schema(responses=s.PermissionSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Every permission that a role of a tenant can hold."""
        return Response(
            [
                {"name": name, "group": group, "description": text}
                for group, named in GROUPS.items()
                for name, text in named.items()
            ]
        )


class RolesView(ApiView):
    permissions = {"GET": "user.read", "POST": "role.write"}
    serializer_class = s.RoleSerializer

    @extend_schema(responses=s.RoleSerializer(many=True))
    def get(self, request: Request) -> Response:
        rows = Role.objects.visible_to(principal(request)).select_related("extends")
        return self.page(rows, s.RoleSerializer)

    @extend_schema(request=s.CreateRoleSerializer, responses={201: s.RoleSerializer})
    def post(self, request: Request) -> Response:
        """Make a role; it holds no more than the caller does."""
        caller = principal(request)
        role = roles.create_role(caller.tenant, **self.body(s.CreateRoleSerializer), actor=caller)
        return Response(s.RoleSerializer(role).data, status=201)


class RoleView(ApiView):
    permissions = {"GET": "user.read", "PATCH": "role.write", "PUT": "role.write", "DELETE": "role.write"}
    serializer_class = s.RoleSerializer

    @extend_schema(responses=s.RoleSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(s.RoleSerializer(roles.get_role(public_id, actor=principal(request))).data)

    @extend_schema(request=s.UpdateRoleSerializer, responses=s.RoleSerializer)
    def patch(self, request: Request, public_id: UUID) -> Response:
        """Change a role of the tenant's own; whoever has it, or one that extends it, holds that at once."""
        caller = principal(request)
        role = roles.get_role(public_id, actor=caller)
        changed = roles.update_role(role, **self.body(s.UpdateRoleSerializer), actor=caller)
        return Response(s.RoleSerializer(changed).data)

    @extend_schema(request=s.UpdateRoleSerializer, responses=s.RoleSerializer)
    def put(self, request: Request, public_id: UUID) -> Response:
        return self.patch(request, public_id)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        caller = principal(request)
        roles.delete_role(roles.get_role(public_id, actor=caller), actor=caller)
        return Response(status=204)
