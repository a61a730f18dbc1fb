"""Which pages a browser's request may come from (the Fetch standard, sections 3.1 and 3.2; Fetch Metadata)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gateway.decision.types import Headers, RequestHead

if TYPE_CHECKING:
    from collections.abc import Mapping

_PORTS = {"http": 80, "https": 443}
_SAFE = ("GET", "HEAD", "OPTIONS")


def is_own(origin: str, head: RequestHead, settings: Any) -> bool:
    """Whether an Origin header names where the request goes itself, or one of the platform's further addresses."""
    found = _parts(origin)
    if found is None:
        return False
    return found == (head.scheme, head.host, head.port) or found in map(_parts, settings.CSRF_TRUSTED_ORIGINS)


def is_shared(origin: str, settings: Any) -> bool:
    """Whether that site's scripts may read answers here, by CORS_ALLOW_ORIGINS."""
    return settings.CORS_ALLOW_ALL_ORIGINS or origin in settings.CORS_ALLOWED_ORIGINS


def is_site(origin: str) -> bool:
    """Whether it is one that a page of the web can have; programs with a web view send others of their own."""
    return origin == "null" or origin.startswith(("http://", "https://"))


def lets_cookies_count(head: RequestHead, settings: Any) -> bool:
    """Whether a session's cookie says that its owner meant this request: the page that made it is our own.

    Of what is not safe, and of WebSockets, browsers name the origin. Of the rest they say whence it comes, and a
    person may follow a link from anywhere.
    """
    headers = head.headers
    origin = headers.get("origin")
    if head.method not in _SAFE or "sec-websocket-key" in headers:
        return origin is not None and is_own(origin, head, settings)
    if origin is not None and not is_own(origin, head, settings):
        return False
    return _followed(headers) or headers.get("sec-fetch-site") not in ("cross-site", "same-site")


def shares(head: RequestHead, settings: Any) -> Mapping[str, str]:
    """What lets the asking site's script read the answer; nothing for a site that may not."""
    origin = head.headers.get("origin")
    if not origin or not is_shared(origin, settings):
        return {}
    return {
        "Access-Control-Allow-Origin": "*" if settings.CORS_ALLOW_ALL_ORIGINS else origin,
        "Access-Control-Expose-Headers": "Mcp-Session-Id, WWW-Authenticate, Retry-After, X-Request-Id",
        "Vary": "Origin",
    }


def _followed(headers: Headers) -> bool:
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def _parts(origin: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(origin.lower())
        if parts.scheme not in _PORTS or not parts.hostname:
            return None
        return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]
    except ValueError:
        return None
