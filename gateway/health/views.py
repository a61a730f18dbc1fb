"""`/health`, for probes."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from .looking import look


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Open to all, and without a detail that would help a stranger."""
    found = look()
    return JsonResponse(found.as_json(), status=found.http_status, headers={"Cache-Control": "no-store"})
