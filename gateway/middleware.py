"""What holds around every request of the web process."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from gateway.api import ratelimit
from gateway.db.scope import enter_tenant, no_scope, platform_scope
from gateway.errors import DomainError, RateLimited
from gateway.logs import accept_request_id, request_id
from gateway.ui import led_on, refusal
from tenants import resolver

Handler = Callable[[HttpRequest], HttpResponse]

# Of whatever is no page: nothing in it runs or is shown, should a browser be led to take it for one.
INERT = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

# What pages may ask a browser for: the clipboard for keys that are shown once, and passkeys.
_PERMISSIONS = (
    "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), display-capture=(), "
    "encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), magnetometer=(), "
    "microphone=(), midi=(), payment=(), picture-in-picture=(), screen-wake-lock=(), serial=(), usb=(), "
    "xr-spatial-tracking=(), clipboard-write=(self), publickey-credentials-get=(self), "
    "publickey-credentials-create=(self)"
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
    """Headers that Django and django-csp leave to others, on every answer."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        headers = response.headers
        if not response.get("Content-Type", "").startswith("text/html"):
            headers.setdefault("Content-Security-Policy", INERT)
        headers.setdefault("Permissions-Policy", _PERMISSIONS)
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault(
            "X-XSS-Protection", "0"
        )  # the auditor it once controlled could be turned against pages
        return response

    return middleware


def csrf_header(get_response: Handler) -> Handler:
    """Take the CSRF token from `X-CSRF-Token` as well as from `X-CSRFToken`."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if token := request.META.get("HTTP_X_CSRF_TOKEN"):
            request.META.setdefault("HTTP_X_CSRFTOKEN", token)
        return get_response(request)

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
        if request.path.startswith("/admin/") and principal.barred:
            return led_on(request, principal)
        if request.path.startswith("/admin/") and principal.user and principal.user.is_staff:
            with platform_scope("the admin is the platform staff's view of all tenants"):
                return get_response(request)
        enter_tenant(principal.tenant.pk)
        return get_response(request)

    return middleware


def page_rates(get_response: Handler) -> Handler:
    """Count what writes from pages and the admin by person, and what strangers ask for by address.

    The API counts for itself (`gateway.api.views`), and the edge those who come to /internal/; reading pages one is
    signed in to is not limited.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path.startswith(("/api/", "/static/", "/health", "/metrics", "/internal/")):
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
