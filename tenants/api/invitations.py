"""Invitations into the tenant acted in, and accepting one."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from gateway.errors import Forbidden, Invalid
from tenants import resolver
from tenants.models import Invitation, User
from tenants.services import invitations

from .serializers import people as s


class InvitationsView(ApiView):
    permissions = {"GET": "user.read", "POST": "user.write"}
    serializer_class = s.InvitationSerializer

    @extend_schema(responses=s.InvitationSerializer(many=True))
    def get(self, request: Request) -> Response:
        rows = Invitation.objects.visible_to(principal(request)).select_related("role")
        return self.page(rows, s.InvitationSerializer)

    @extend_schema(request=s.InviteSerializer, responses={201: s.InvitationSerializer})
    def post(self, request: Request) -> Response:
        """Send somebody a link into the tenant. Whether they have an account is not said."""
        caller = principal(request)
        made = invitations.invite(caller.tenant, **self.body(s.InviteSerializer), actor=caller)
        return Response(s.InvitationSerializer(made).data, status=201)


class InvitationView(ApiView):
    permissions = {"GET": "user.read", "DELETE": "user.write"}
    serializer_class = s.InvitationSerializer

    @extend_schema(responses=s.InvitationSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        found = invitations.get_invitation(public_id, actor=principal(request))
        return Response(s.InvitationSerializer(found).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Revoke."""
        caller = principal(request)
        invitations.revoke(invitations.get_invitation(public_id, actor=caller), actor=caller)
        return Response(status=204)


class ResendView(ApiView):
    permissions = {"POST": "user.write"}

    @extend_schema(request=None, responses=s.InvitationSerializer)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Send a new link; the one before ends."""
        caller = principal(request)
        found = invitations.get_invitation(public_id, actor=caller)
        return Response(s.InvitationSerializer(invitations.resend(found, actor=caller)).data)


class AcceptView(ApiView):
    """Join the tenant that a link is of."""

    public = True
    limit = "auth"

    @extend_schema(request=s.AcceptInvitationSerializer, responses={201: s.JoinedSerializer})
    def post(self, request: Request) -> Response:
        body = self.body(s.AcceptInvitationSerializer)
        token = body.pop("token")
        membership = invitations.accept(
            token, self._who(request, body), ip=resolver.client_ip(request._request)
        )
        joined = {
            "tenant": membership.tenant.slug,
            "username": membership.user.username,
            "role": membership.role.slug,
        }
        return Response(joined, status=201)

    def _who(self, request: Request, body: dict[str, str]) -> invitations.NewAccount | User:
        if request.auth is not None:
            caller = principal(request)
            if caller.credential.kind not in ("session", "jwt") or caller.user is None:
                raise Forbidden(
                    "This is for somebody who is signed in; a key cannot do it.", code="sign_in_needed"
                )
            if body:
                raise Invalid("You are signed in: send the token alone, or sign out.", code="signed_in")
            return caller.user
        if missing := {"username", "password"} - body.keys():
            raise Invalid(
                "A new account needs a username and a password.",
                errors={name: ["This field is required."] for name in sorted(missing)},
            )
        return invitations.NewAccount(**body)
