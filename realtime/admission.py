"""Who may open a stream, and which: everything that is checked before its first byte."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

from gateway.api import ratelimit
from gateway.api.auth import PrincipalAuthentication, principal
from gateway.db.scope import no_scope
from gateway.errors import Forbidden, Invalid, Unauthenticated, Unavailable
from realtime import filters, tickets
from realtime.guard import PERMISSION
from tenants import resolver
from tenants.principal import Principal
from tenants.services import standing

Scope = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Admitted:
    """`last_event_id` is None for a reader that begins now."""

    holder: standing.Holder
    wanted: filters.Filter
    last_event_id: int | None


def admit(scope: Scope) -> Admitted:
    """Check the request for a stream of events. Blocks: it belongs on a thread.

    Raises as `caller_of`, and Forbidden (permission), Invalid (channels, types, position).
    """
    caller, holder, request = caller_of(scope)
    caller.require(PERMISSION)
    query = request.GET
    wanted = filters.parse(query.get("channels", ""), query.get("types", ""))
    given = request.headers.get("Last-Event-ID") or query.get("last_event_id", "")
    return Admitted(holder, wanted, _position(given))


def caller_of(scope: Scope) -> tuple[Principal, standing.Holder, HttpRequest]:
    """Who opens a connection, counted, whom `standing` knows as the holder; of an ASGI scope. Blocks.

    Raises Unauthenticated, Forbidden (origin, suspended tenant), NotFound (tenant), RateLimited, Invalid, Unavailable.
    """
    request = _request(scope)
    try:
        with no_scope():
            caller, holder = _identify(request, is_websocket=scope["type"] == "websocket")
    except Unauthenticated:
        ratelimit.count_address("auth", request)
        raise
    except SuspiciousOperation as error:  # a Host header that is no host name
        raise Invalid(str(error)) from None
    except (OperationalError, InterfaceError) as error:
        raise Unavailable("The database does not answer; try again.") from error
    ratelimit.count("stream", request, f"{holder.tenant_id}:{holder.user_id}", settings.REALTIME_RATE_LIMIT)
    return caller, holder, request


def _request(scope: Scope) -> HttpRequest:
    """The request as Django sees it, with its session; a WebSocket's opening is a GET."""
    secure = scope.get("scheme") in ("https", "wss")
    http = {**scope, "type": "http", "method": "GET", "scheme": "https" if secure else "http"}
    request = ASGIRequest(http, BytesIO())
    for middleware in (SessionMiddleware, AuthenticationMiddleware):
        middleware(lambda _: HttpResponse()).process_request(request)
    return request


def _identify(request: HttpRequest, *, is_websocket: bool) -> tuple[Principal, standing.Holder]:
    if ticket := request.GET.get("ticket"):
        ip = resolver.client_ip(request)
        holder = tickets.redeem(ticket).at(ip)
        return standing.renew(holder, ip), holder
    asking = Request(request, authenticators=[PrincipalAuthentication()])
    caller = principal(asking)
    if caller.credential.kind == "session":
        _check_origin(request, is_websocket=is_websocket)
    return caller, standing.holder_of(caller, request.session.session_key)


def _check_origin(request: HttpRequest, *, is_websocket: bool) -> None:
    """A cookie comes along from any page; only our own pages may use it.

    Browsers name the origin of every WebSocket; of an EventSource only when it is not our own.
    """
    origin = request.headers.get("Origin")
    own = {f"{request.scheme}://{request.get_host()}", *settings.CSRF_TRUSTED_ORIGINS}
    if origin is None:
        allowed = not is_websocket and request.headers.get("Sec-Fetch-Site") not in (
            "cross-site",
            "same-site",
        )
    else:
        allowed = _plain(origin) in {_plain(each) for each in own}
    if not allowed:
        raise Forbidden("A session is used from this site's own pages only.", code="origin_refused")


def _plain(origin: str) -> str:
    """Without a port that the scheme implies."""
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return origin
    implied = {"http": ":80", "https": ":443"}.get(parts.scheme, " ")
    return f"{parts.scheme}://{parts.netloc.removesuffix(implied)}"


def _position(given: str) -> int | None:
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= 18):
        message = "not the id of an event"
        raise Invalid(f"Last-Event-ID: {message}.", errors={"Last-Event-ID": [message]})
    return int(given)
