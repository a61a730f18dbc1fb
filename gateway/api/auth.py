"""Authentication and permissions of the API: any credential in, one principal out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from gateway.errors import Forbidden, Unauthenticated
from tenants import resolver
from tenants.principal import Principal

if TYPE_CHECKING:
    from rest_framework.views import APIView


class PrincipalAuthentication(BaseAuthentication):
    """`Authorization: Bearer`, `X-API-Key`, or the session cookie (then with CSRF protection).

    A credential that is there but not valid is refused; it never falls back to another.
    """

    def authenticate(self, request: Request) -> tuple[Any, Principal] | None:
        plain = request._request
        header = request.headers.get("Authorization", "")
        if header:
            scheme, _, token = header.partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                raise Unauthenticated("The Authorization header must be of the form: Bearer <token>.")
            found = resolver.from_token(token.strip(), resolver.asked(plain))
        elif key := request.headers.get("X-API-Key"):
            found = resolver.from_token(key, resolver.asked(plain))
        else:
            session = resolver.from_session(plain)
            if session is None:
                return None
            _enforce_csrf(plain)
            found = session
        return found.user, found

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="gatehouse"'


def _enforce_csrf(request: HttpRequest) -> None:
    check = CSRFCheck(lambda _: None)  # type: ignore[arg-type]
    check.process_request(request)
    if reason := check.process_view(request, None, (), {}):  # type: ignore[arg-type]
        raise Forbidden(f"CSRF verification failed: {reason}", code="csrf_failed")


def principal(request: Request) -> Principal:
    """Who calls. Raises Unauthenticated where nobody does."""
    if not isinstance(request.auth, Principal):
        raise Unauthenticated("Send a bearer token, an API key, or sign in.")
    return request.auth


class HasPermission(BasePermission):
    """The permission that the view names for the method; a view that names none needs a caller all the same."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if getattr(view, "public", False):
            return True
        caller = principal(request)
        if not getattr(view, "account", False):
            caller.require_entry()
        if needed := getattr(view, "permissions", {}).get(request.method):
            caller.require(needed)
        return True
