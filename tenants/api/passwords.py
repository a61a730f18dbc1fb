"""auth/password-reset: a link by e-mail, and the password it sets."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api import ratelimit
from gateway.api.views import ApiView
from tenants import resolver
from tenants.services import passwords

from .serializers import people as s


class PasswordResetView(ApiView):
    public = True
    authentication_classes: list[type] = []
    limit = "auth"

    @extend_schema(request=s.PasswordResetSerializer, responses={202: None})
    def post(self, request: Request) -> Response:
        """Send a link to whoever has the username or the address. The answer is the same if nobody has."""
        (identifier,) = self.body(s.PasswordResetSerializer).values()
        ratelimit.count("auth", request._request, f"reset:{identifier.lower()}", passwords.LINKS_PER_MINUTE)
        passwords.request_link(identifier)
        return Response(status=202)


class ConfirmPasswordResetView(ApiView):
    public = True
    authentication_classes: list[type] = []
    limit = "auth"

    @extend_schema(request=s.ConfirmPasswordResetSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Set a password with a link's token, once. All sign-ins of the account end."""
        body = self.body(s.ConfirmPasswordResetSerializer)
        passwords.confirm(body["token"], body["password"], ip=resolver.client_ip(request._request))
        return Response(status=204)
