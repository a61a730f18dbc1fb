"""Addresses of external services: what a tenant may have the platform call.

Tenants name public hosts only, so that the platform's place in its network is not lent to them; platform staff may
name any. What a name resolves to is looked at when it is given, and again at every call.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from gateway.errors import Invalid
from gateway.outside import addresses, is_public


class NotReachable(Exception):
    """The text says why, for the service's owner."""


def check_url(url: str, *, by_staff: bool) -> None:
    """Raises Invalid for what is no http(s) URL, bears a password, or leads where the caller may not have us call."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        good = parts.scheme in ("http", "https") and host and parts.port != 0
    except ValueError:
        raise _refused("Not an http:// or https:// URL.") from None
    if not good or any(ord(c) <= 32 or ord(c) == 127 for c in url):
        raise _refused("Not an http:// or https:// URL.")
    if parts.username is not None or parts.password is not None:
        raise _refused("A URL with a password in it would be shown to everybody.")
    if parts.fragment:
        raise _refused("A fragment is a browser's affair.")
    try:
        allowed_addresses(host, private_allowed=by_staff)
    except NotReachable as error:
        raise _refused(str(error)) from None


def allowed_addresses(host: str, *, private_allowed: bool) -> list[str]:
    """What may be connected to for a host. Takes seconds. Raises NotReachable."""
    found = addresses(host)
    if not found:
        raise NotReachable(f"{host} has no address.")
    if not private_allowed and not all(map(is_public, found)):
        raise NotReachable(f"{host} has an address that is not public: only platform staff register those.")
    return found


def _refused(text: str) -> Invalid:
    return Invalid(f"url: {text}", errors={"url": [text]})
