"""What every page shares: who sees it, how it is shown whole or in part, and how an error looks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlencode

from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.cache import patch_cache_control, patch_vary_headers

from gateway.api.exceptions import details
from gateway.errors import DomainError, Forbidden, RateLimited, Unauthenticated, Unavailable
from gateway.logs import request_id
from tenants.principal import Principal
from tenants.services import audit, switching

PROBLEM = "application/problem+json"
P = ParamSpec("P")


class PageRequest(HttpRequest):
    """A request of somebody who is signed in and acts in a tenant."""

    principal: Principal


PageView = Callable[Concatenate[PageRequest, P], HttpResponse]
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of the side bar, for those who hold any of `permissions` (none named: for all)."""

    label: str
    icon: str
    name: str
    permissions: tuple[str, ...] = ()


NAVIGATION: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    ("", (Entry("Overview", "home", "overview"),)),
    (
        "Storage",
        (
            Entry("Buckets", "bucket", "buckets", ("storage.bucket.read",)),
            Entry(
                "S3 access keys",
                "key",
                "access-keys",
                ("storage.access_key.write", "storage.access_key.manage"),
            ),
            Entry("Share links", "link", "share-links", ("storage.object.read",)),
            Entry("Backends", "globe", "backends", ("storage.backend.read",)),
        ),
    ),
    (
        "Workspaces",
        (
            Entry("Workspaces", "screen", "workspaces", ("workspace.read",)),
            Entry("Services", "box", "services", ("service.read",)),
            Entry("Templates", "layers", "templates", ("template.write",)),
        ),
    ),
    (
        "Access",
        (
            Entry("API keys", "terminal", "api-keys", ("api_key.write", "api_key.manage")),
            Entry("Service accounts", "user", "service-accounts", ("service_account.read",)),
        ),
    ),
    (
        "Tenant",
        (
            Entry("Members", "users", "members", ("user.read",)),
            Entry("Roles", "badge", "roles", ("user.read",)),
            Entry("Settings", "settings", "tenant-settings", ("tenant.write",)),
            Entry("Domains", "link", "domains", ("domain.write",)),
            Entry("Limits", "gauge", "limits", ("tenant.read",)),
            Entry("Events", "pulse", "events", ("event.read",)),
            Entry("Audit log", "shield", "audit", ("audit.read",)),
        ),
    ),
)


def is_part(request: HttpRequest) -> bool:
    """Whether HTMX asks, and so for a part of the page."""
    return request.headers.get("HX-Request") == "true" and "HX-History-Restore-Request" not in request.headers


def page(
    *permissions: str, methods: tuple[str, ...] = ("GET", "HEAD"), account: bool = False
) -> Callable[[PageView[P]], View[P]]:
    """A page of the signed-in, for holders of any of `permissions`. What its view refuses is shown as an error.

    Who must show or set up a second factor first is led there, but for pages of the `account`.
    """

    def decorate(view: PageView[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method not in methods:
                return HttpResponseNotAllowed(methods)
            try:
                principal = getattr(request, "principal", None)
                if principal is None:
                    return _not_in(request)
                if principal.barred and not account:
                    return led_on(request, principal)
                if permissions and not any(map(principal.can, permissions)):
                    raise Forbidden(
                        f"This page needs the permission {permissions[0]}.", code="permission_missing"
                    )
                response = view(cast(PageRequest, request), *args, **kwargs)
            except DomainError as error:
                response = refusal(request, error)
                if isinstance(error, Forbidden) and error.code == "permission_missing":
                    target = f"{request.method} {request.path}"
                    audit.record_refusal(request.principal, target=target, reason=error.detail)  # type: ignore[attr-defined]
            except OperationalError:
                response = refusal(request, Unavailable("The database does not answer just now; try again."))
            patch_vary_headers(response, ["Cookie", "HX-Request"])
            patch_cache_control(response, private=True, no_store=True)
            return response

        return cast("View[P]", guarded)

    return decorate


def _not_in(request: HttpRequest) -> HttpResponse:
    """Signed out: to the sign-in page and back. Signed in without a tenant: say so."""
    if getattr(request.user, "is_authenticated", False):
        return refusal(
            request,
            Forbidden("Your account is not an active member of an active tenant. Ask whoever invited you."),
        )
    back = request.headers.get("HX-Current-URL") if is_part(request) else request.get_full_path()
    to = f"{settings.LOGIN_URL}?{urlencode({'next': back or settings.LOGIN_REDIRECT_URL})}"
    if wants_problem(request):
        error = Unauthenticated("You are signed out.")
        return JsonResponse(details(error), status=401, content_type=PROBLEM, headers={"HX-Redirect": to})
    return HttpResponseRedirect(to)


def led_on(request: HttpRequest, principal: Principal) -> HttpResponse:
    """To the page where the person does what must be done before anything else in the tenant, and back."""
    name = "login-second-factor" if principal.barred == "second_factor_required" else "account-second-factor"
    back = request.headers.get("HX-Current-URL") if is_part(request) else request.get_full_path()
    to = reverse(name) + (f"?{urlencode({'next': back})}" if back and request.method == "GET" else "")
    if wants_problem(request):
        try:
            principal.require_entry()
        except DomainError as error:
            problem = details(error)
            return JsonResponse(
                problem, status=error.status, content_type=PROBLEM, headers={"HX-Redirect": to}
            )
    return HttpResponseRedirect(to)


def show(
    request: PageRequest,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    part: str | None = None,
    status: int = 200,
    done: str = "",
    closes: str = "",
) -> HttpResponse:
    """The page, or only its `part` where HTMX asks.

    `done` is a message about what was just done; `closes` names the dialog in which that was asked for.
    """
    whole = not (part and is_part(request))
    values: dict[str, Any] = {"principal": request.principal, **(context or {})}
    if whole:
        values["tenants"] = switching.choices(request.principal)
        values["navigation"] = navigation(request)
    response = render(request, template if whole else cast(str, part), values, status=status)
    triggers: dict[str, Any] = {}
    if done:
        triggers["toast"] = {"text": done, "level": "good"}
    if closes:
        triggers["closedialog"] = closes
    if triggers:
        response["HX-Trigger"] = json.dumps(triggers)
    return response


def sheet(
    request: PageRequest, part: str, context: Mapping[str, Any], *, status: int = 200, changed: str = ""
) -> HttpResponse:
    """A part that HTMX puts into the dialog `#sheet`; without HTMX it is a page of its own.

    `changed` is the DOM event by which lists on the page learn that they are out of date.
    """
    response = show(request, "gateway/sheet.html", {**context, "part": part}, part=part, status=status)
    if changed:
        response["HX-Trigger"] = changed
    return response


def navigation(request: PageRequest) -> list[dict[str, Any]]:
    here = request.path.rstrip("/")
    groups = []
    for title, entries in NAVIGATION:
        links = []
        for entry in entries:
            if entry.permissions and not any(map(request.principal.can, entry.permissions)):
                continue
            url = reverse(entry.name)
            at = here == url.rstrip("/") or (entry.name != "overview" and here.startswith(f"{url}/"))
            links.append({"label": entry.label, "icon": entry.icon, "url": url, "here": at})
        if links:
            groups.append({"title": title, "links": links})
    return groups


def _above(request: HttpRequest) -> Entry | None:
    """Where the side bar leads to the list that a page below it is of, for those who may see that."""
    principal = getattr(request, "principal", None)
    for entry in (entry for _, entries in NAVIGATION for entry in entries if entry.name != "overview"):
        if principal and request.path.startswith(f"{reverse(entry.name)}/"):
            return entry if not entry.permissions or any(map(principal.can, entry.permissions)) else None
    return None


def at(url: str, **query: str) -> str:
    """An address with what of the query is not empty."""
    asked = urlencode({name: value for name, value in query.items() if value})
    return f"{url}?{asked}" if asked else url


def row_number(text: str) -> int | None:
    """A row's id as a page's link names it; None for anything that cannot be one."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def wants_problem(request: HttpRequest) -> bool:
    """Whether a script asks, which reads problem details, or a person, who reads a page."""
    return request.headers.get("HX-Request") == "true" or request.content_type == "application/json"


def refusal(request: HttpRequest, error: DomainError) -> HttpResponse:
    """An error as a page, or as problem details for HTMX and scripts."""
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, RateLimited) else {}
    if wants_problem(request):
        return JsonResponse(details(error), status=error.status, content_type=PROBLEM, headers=headers)
    context = {"error": error, "request_id": request_id.get()}
    if error.status >= 500:  # whatever broke may be what sessions and messages come from
        response = HttpResponse(render_to_string("gateway/error.html", context), status=error.status)
    else:
        context["signed_in"] = request.user.is_authenticated if hasattr(request, "user") else False
        context["up"] = _above(request)
        response = render(request, "gateway/error.html", context, status=error.status)
    for name, value in headers.items():
        response[name] = value
    return response
