"""Users: members of tenants, one by one and in bulk."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.parsers import Json
from gateway.api.views import ApiView
from gateway.db.scope import tenant_scope
from gateway.errors import Invalid
from gateway.tables import csv_text, read_csv, read_json
from tenants.models import Membership
from tenants.services import passwords, tenants, user_tables, users

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
        """Make a new account; somebody who has one is invited, or added by platform staff."""
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        body = self.body(s.CreateUserSerializer)
        membership = users.create_user(tenant, **body, actor=principal(request))
        return Response(s.MemberSerializer(membership).data, status=201)


class TenantUserView(ApiView):
    permissions = {"DELETE": "user.write"}

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID, user_id: UUID) -> Response:
        """Remove from the tenant for good: keys are revoked, what the user made stays."""
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        actor = principal(request)
        with tenant_scope(tenant.pk):
            membership = users.get_membership_in(tenant, user_id)
            users.remove_member(membership, actor=actor)
        return Response(status=204)


class TenantMembersView(ApiView):
    permissions = {"POST": "platform.tenants"}

    @extend_schema(request=s.AddMemberSerializer, responses={201: s.MemberSerializer})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Make somebody who has an account a member as well."""
        tenant = tenants.get_tenant(public_id, actor=principal(request))
        membership = users.add_member(tenant, **self.body(s.AddMemberSerializer), actor=principal(request))
        return Response(s.MemberSerializer(membership).data, status=201)


def members() -> Any:
    return Membership.objects.select_related("user", "role")


class UsersView(ApiView):
    permissions = {"GET": "user.read"}
    serializer_class = s.MemberSerializer

    @extend_schema(
        parameters=[
            OpenApiParameter("q", str, description="Part of the username, the name or the e-mail address"),
            OpenApiParameter("role", str, description="A role's slug"),
            OpenApiParameter("is_active", bool),
        ],
        responses=s.MemberSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The members of the tenant acted in."""
        rows, asked = members().visible_to(principal(request)), request.query_params
        if any("\0" in value for value in asked.values()):
            raise Invalid("A filter holds a NUL character.")
        if q := asked.get("q"):
            rows = rows.named(q)
        if role := asked.get("role"):
            rows = rows.filter(role__slug=role)
        if (active := asked.get("is_active")) is not None:
            if active not in ("true", "false"):
                raise Invalid("is_active is `true` or `false`.", errors={"is_active": ["Not true or false."]})
            rows = rows.filter(is_active=active == "true")
        return self.page(rows, s.MemberSerializer)


class UserView(ApiView):
    permissions = {"GET": "user.read", "PATCH": "user.write", "PUT": "user.write", "DELETE": "user.write"}
    serializer_class = s.MemberSerializer

    @extend_schema(responses=s.MemberSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(s.MemberSerializer(users.get_membership(public_id, actor=principal(request))).data)

    @extend_schema(request=s.UpdateUserSerializer, responses=s.MemberSerializer)
    def patch(self, request: Request, public_id: UUID) -> Response:
        """Change the role, deactivate or reactivate; the account itself where it is of this tenant alone."""
        caller = principal(request)
        membership = users.get_membership(public_id, actor=caller)
        changed = users.update_user(membership, self.body(s.UpdateUserSerializer), actor=caller)
        return Response(s.MemberSerializer(changed).data)

    @extend_schema(request=s.UpdateUserSerializer, responses=s.MemberSerializer)
    def put(self, request: Request, public_id: UUID) -> Response:
        return self.patch(request, public_id)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Deactivate: credentials end, what the user made stays."""
        caller = principal(request)
        users.deactivate_user(users.get_membership(public_id, actor=caller), actor=caller)
        return Response(status=204)


class PasswordLinkView(ApiView):
    permissions = {"POST": "user.write"}

    @extend_schema(request=None, responses={202: None})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Send the user a link to set a password with, at their own address."""
        caller = principal(request)
        passwords.send_link(users.get_membership(public_id, actor=caller), actor=caller)
        return Response(status=202)


class Csv(BaseParser):
    media_type = "text/csv"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> dict[str, Any]:
        return {"csv": stream.read()}


class UserTableView(ApiView):
    permissions = {"GET": "user.read"}

    @extend_schema(responses={(200, "text/csv"): str})
    def get(self, request: Request) -> HttpResponseBase:
        """The tenant's users as CSV, without passwords."""
        rows = user_tables.rows_of(principal(request).tenant, actor=principal(request))
        content = "".join(csv_text(user_tables.COLUMNS, rows))
        headers = {"Content-Disposition": 'attachment; filename="users.csv"'}
        return HttpResponse(content, content_type="text/csv; charset=utf-8", headers=headers)


class UserListView(ApiView):
    permissions = {"GET": "user.read"}
    pagination_class = None

    @extend_schema(responses=s.UserRowSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The tenant's users as an import takes them, without passwords."""
        return Response(list(user_tables.rows_of(principal(request).tenant, actor=principal(request))))


class ImportUsersView(ApiView):
    permissions = {"POST": "user.write"}
    parser_classes = [Json, Csv]
    pagination_class = None

    @extend_schema(
        request={"application/json": s.ImportUsersSerializer, "text/csv": str},
        parameters=[
            OpenApiParameter("dry_run", bool, description="true: tell what would become of each row")
        ],
        responses=s.OutcomeSerializer(many=True),
    )
    def post(self, request: Request) -> Response:
        """Take a table in, as a whole or not at all. Rows with an address alone are invited."""
        caller = principal(request)
        asked = request.query_params.get("dry_run", "false")
        if asked not in ("true", "false"):
            raise Invalid("dry_run is true or false.", errors={"dry_run": ["true or false."]})
        table = request.data.get("csv") if isinstance(request.data, dict) else None
        if isinstance(table, bytes):  # which JSON has not
            rows = read_csv(table, user_tables.COLUMNS)
        else:
            rows = read_json(self.body(s.ImportUsersSerializer)["users"], user_tables.COLUMNS)
        outcomes = user_tables.take(caller.tenant, rows, dry_run=asked == "true", actor=caller)
        return Response(s.OutcomeSerializer(list(map(asdict, outcomes)), many=True).data)
