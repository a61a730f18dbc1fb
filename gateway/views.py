"""The tenant switch, the overview, and what is shown when something went wrong."""

from __future__ import annotations

import logging
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET

from gateway.errors import DomainError, Forbidden, NotFound
from gateway.ui import PageRequest, page, refusal, show
from realtime.newest import newest
from storage.services import usage
from tenants.services import counts, switching
from workspaces.services import counts as running

log = logging.getLogger(__name__)
RECENT = 30


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    return redirect("overview")


@page(methods=("POST",), account=True)
def switch_tenant(request: PageRequest) -> HttpResponse:
    switching.switch(request.session, request.POST.get("tenant", ""), actor=request.principal)
    return redirect("overview")


@page()
def overview(request: PageRequest) -> HttpResponse:
    """What the tenant holds, how much of its limits that takes, and what happens in it just now."""
    context = _figures(request)
    if request.principal.can("event.read"):
        context["events"] = newest(request.principal, RECENT)
    return show(request, "gateway/overview.html", context, part="gateway/_figures.html")


def _figures(request: PageRequest) -> dict[str, Any]:
    caller = request.principal
    return {
        "used": {
            **usage.of_tenant(caller.tenant.pk),
            **counts.of_tenant(caller.tenant.pk),
            **running.of_tenant(caller.tenant.pk),
        },
        "limits": counts.limits(caller.tenant.pk),
    }


# What is shown when something went wrong


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    log.warning("CSRF verification failed: %s", reason)
    text = "The form was too old or came from elsewhere. Go back, reload the page and try again."
    return refusal(request, Forbidden(text, code="csrf_failed"))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return refusal(request, DomainError("The request could not be understood."))


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return refusal(request, Forbidden("You may not see this."))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return refusal(request, NotFound("There is no such page."))


def server_error(request: HttpRequest) -> HttpResponse:
    """The last resort: needs neither the database nor a session."""
    error = DomainError(
        "Something went wrong here; the request id finds it in the log.", code="internal_error"
    )
    error.status, error.title = 500, "Internal server error"
    return refusal(request, error)
