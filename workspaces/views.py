"""The door for workspaces' own questions; `workspaces.routing.introspection` decides who comes to it."""

from __future__ import annotations

import orjson
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from gateway.api import ratelimit
from gateway.errors import RateLimited
from tenants.services import key_secrets
from workspaces.services import introspection

_MOST = 16 << 10


@csrf_exempt
def introspect(request: HttpRequest) -> HttpResponse:
    """POST {"token": …}, as JSON or as a form (RFC 7662, section 2.1) → {"active", "user_id", "role"}."""
    asking = request.headers.get(introspection.ASKING)
    if not asking or request.method != "POST":
        raise Http404
    token = _token(request)
    if key_secrets.is_one(token):  # a wrong one costs as much as a right one: an Argon2 verification
        try:
            ratelimit.count("auth", request, f"workspace:{asking}", settings.API_RATE_LIMIT)
        except RateLimited as error:
            return HttpResponse(status=429, headers={"Retry-After": str(error.retry_after)})
    answer = introspection.introspect(token, workspace_key=asking)
    return HttpResponse(
        orjson.dumps(answer), content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def _token(request: HttpRequest) -> str:
    """The token asked about; empty where the body names none."""
    if request.content_type != "application/json":
        return request.POST.get("token", "")
    try:
        said = orjson.loads(request.body[:_MOST])
    except ValueError:
        return ""
    token = said.get("token") if isinstance(said, dict) else None
    return token if isinstance(token, str) else ""
