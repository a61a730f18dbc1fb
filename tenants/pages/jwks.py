"""The keys that verify our tokens, for whoever does so elsewhere."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from tenants import tokens


@require_safe
@cache_control(public=True, max_age=300)
def jwks(request: HttpRequest) -> JsonResponse:
    """A JSON Web Key Set (RFC 7517)."""
    return JsonResponse(tokens.jwks())
