"""What holds around every request of the web process."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from gateway.api import ratelimit
from gateway.db.scope import enter_tenant, no_scope, platform_scope
from gateway.errors import DomainError, RateLimited
from gateway.logs import accept_request_id, request_id
from gateway.ui import refusal
from tenants import resolver

Handler = Callable[[HttpRequest], HttpResponse]

# Scripts and styles come from ourselves alone. The admin's theme and the API page evaluate expressions and write
# style attributes; the user interface needs neither.
_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'; "
)
_STRICT = _POLICY + "script-src 'self'; style-src 'self'"
_LENIENT = (
    _POLICY
    + "script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; font-src 'self' data:"
)


def request_context(get_response: Handler) -> Handler:
    """Give the request its id, and the database no scope until the caller is known."""

    def middleware(request: HttpRequest) -> HttpResponse:
        token = request_id.set(accept_request_id(request.headers.get("X-Request-ID")))
        try:
            with no_scope():
                response = get_response(request)
            response["X-Request-ID"] = request_id.get()
            return response
        finally:
            request_id.reset(token)

    return middleware


def optional_slash(get_response: Handler) -> Handler:
    """Serve `/api/v1/x/` as `/api/v1/x`, without a redirect that would lose a body."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith("/api/v1/") and request.path_info.endswith("/"):
            request.path_info = request.path_info.rstrip("/")
        return get_response(request)

    return middleware


def security_headers(get_response: Handler) -> Handler:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        lenient = request.path.startswith(("/admin/", "/docs"))
        response.headers.setdefault("Content-Security-Policy", _LENIENT if lenient else _STRICT)
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        response.headers.setdefault("X-XSS-Protection", "0")
        return response

    return middleware


def session_scope(get_response: Handler) -> Handler:
    """Narrow the database to the signed-in user's tenant; the admin, which is for staff alone, sees the platform.

    API requests choose their scope when they authenticate (`gateway.api.auth`).
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path.startswith(("/api/", "/static/")):
            return get_response(request)
        try:
            principal = resolver.from_session(request)
        except DomainError as error:  # a tenant that the request names and is not the person's
            return refusal(request, error)
        request.principal = principal  # type: ignore[attr-defined]
        if principal is None:
            return get_response(request)
        if request.path.startswith("/admin/") and principal.user and principal.user.is_staff:
            with platform_scope("the admin is the platform staff's view of all tenants"):
                return get_response(request)
        enter_tenant(principal.tenant.pk)
        return get_response(request)

    return middleware


def page_rates(get_response: Handler) -> Handler:
    """Count what writes from pages and the admin by person, and what strangers ask for by address.

    The API counts for itself (`gateway.api.views`); reading pages one is signed in to is not limited.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path.startswith(("/api/", "/static/", "/health")):
            return get_response(request)
        principal = getattr(request, "principal", None)
        try:
            if principal is None:
                ratelimit.count_address("api", request)
            elif request.method not in ("GET", "HEAD", "OPTIONS"):
                ratelimit.count_caller("api", request, principal)
        except RateLimited as error:
            return refusal(request, error)
        return get_response(request)

    return middleware
