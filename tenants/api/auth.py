"""auth/*: tokens, and who one is."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.contrib.auth import logout as end_session
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api import ratelimit
from gateway.api.auth import principal
from gateway.api.parsers import Json
from gateway.api.views import ApiView
from tenants import resolver
from tenants.services import sessions

from .serializers import auth as s


class LoginView(ApiView):
    """Tokens for a username and a password."""

    public = True
    authentication_classes: list[type] = []
    limit = "auth"

    @extend_schema(request=s.LoginSerializer, responses=s.TokensSerializer)
    def post(self, request: Request) -> Response:
        body = self.body(s.LoginSerializer)
        # By account as well, which one may try from many addresses; the page's attempts count too.
        ratelimit.count_account(request._request, body["username"])
        return Response(sessions.login(body["username"], body["password"], request=request._request))


class RefreshView(ApiView):
    """A new pair of tokens for a refresh token, which can be used once."""

    public = True
    authentication_classes: list[type] = []
    limit = "auth"

    @extend_schema(request=s.RefreshSerializer, responses=s.TokensSerializer)
    def post(self, request: Request) -> Response:
        return Response(sessions.refresh(self.body(s.RefreshSerializer)["refresh"]))


class LogoutView(ApiView):
    """Spend a refresh token, and end the browser's session where one is there."""

    public = True
    limit = "auth"

    @extend_schema(request=s.RefreshSerializer, responses={204: None}, auth=[])
    def post(self, request: Request) -> Response:
        in_browser = request.auth is not None and principal(request).credential.kind == "session"
        if request.data or not in_browser:
            sessions.logout(self.body(s.RefreshSerializer)["refresh"])
        if in_browser:
            end_session(request._request)
        return Response(status=204)


class IntrospectView(ApiView):
    """What a token means (RFC 7662); for any valid credential, or `X-Introspect-Secret`."""

    public = True
    parser_classes = [Json, FormParser]

    @extend_schema(
        request=s.IntrospectSerializer, responses=s.IntrospectionSerializer, extensions={"x-plain": True}
    )
    def post(self, request: Request) -> Response:
        given, wanted = request.headers.get("X-Introspect-Secret", ""), settings.INTROSPECT_SECRET
        if not (wanted and secrets.compare_digest(given.encode(), wanted.encode())):
            principal(request)
        token = self.body(s.IntrospectSerializer)["token"]
        at = resolver.asked(request._request)
        response = Response(sessions.introspect(token, resolver.Asked(None, "", at.ip)))
        response.enveloped = False  # type: ignore[attr-defined]
        return response


class MeView(ApiView):
    """The caller, in the tenant acted in."""

    @extend_schema(responses=s.MeSerializer)
    def get(self, request: Request) -> Response:
        caller = principal(request)
        assert caller.user is not None
        memberships = sessions.tenants_of(caller.user)
        return Response(
            {
                "id": caller.user.public_id,
                "username": caller.user.username,
                "email": caller.user.email,
                "is_staff": caller.user.is_staff,
                "tenant": caller.tenant.slug,
                "role": caller.role,
                "permissions": sorted(caller.permissions),
                "tenants": [
                    {"slug": m.tenant.slug, "name": m.tenant.name, "role": m.role.slug} for m in memberships
                ],
            }
        )
