"""auth/introspect."""

from __future__ import annotations

import secrets

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api import ratelimit
from gateway.api.auth import principal
from gateway.api.parsers import Json
from gateway.api.views import ApiView
from tenants.principal import Principal
from tenants.services import introspection

from .serializers import introspection as s


class IntrospectView(ApiView):
    """What a token means (RFC 7662); for any valid credential, or `X-Introspect-Secret`.

    Callers count like those of any path; what turns out not to be valid counts as an attempt to sign in too.
    """

    public = True
    parser_classes = [FormParser, Json]

    @extend_schema(
        request=s.IntrospectSerializer, responses=s.IntrospectionSerializer, extensions={"x-plain": True}
    )
    def post(self, request: Request) -> Response:
        caller = None if _has_secret(request) else principal(request)
        answer = introspection.introspect(self.body(s.IntrospectSerializer)["token"], caller=caller)
        if not answer["active"]:
            _count_guess(request, caller)
        response = Response(answer, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})
        response.enveloped = False  # type: ignore[attr-defined]
        return response


def _has_secret(request: Request) -> bool:
    given, wanted = request.headers.get("X-Introspect-Secret", ""), settings.INTROSPECT_SECRET
    return bool(wanted) and secrets.compare_digest(given.encode(), wanted.encode())


def _count_guess(request: Request, caller: Principal | None) -> None:
    if caller is None:
        ratelimit.count_address("auth", request._request)
    else:
        ratelimit.count_caller("auth", request._request, caller)
