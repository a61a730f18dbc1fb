"""What a backend may be, as people give it: its name, its address, and what its vendor needs."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from gateway.errors import Invalid
from gateway.validation import validated
from storage.models import Backend
from storage.providers import quirks

from . import reach

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_REGION = re.compile(r"[A-Za-z0-9-]*")
_LONGEST_BUNDLE = 256 << 10


def as_vendor_needs(kind: str, connection: Mapping[str, Any]) -> dict[str, Any]:
    """The connection's fields, with what its vendor is known to need for those that nobody gave."""
    if kind == "local":
        return dict(connection)
    endpoint = connection.get("endpoint", "")
    vendor = quirks.vendor_of(connection["vendor"]) if connection.get("vendor") else quirks.guess(endpoint)
    needed: dict[str, Any] = {"vendor": vendor.name}
    if not connection.get("region"):
        needed["region"] = quirks.region_of(vendor, endpoint)
    for field in ("path_style", "checksum_mode"):
        wanted = getattr(vendor, field)
        if field not in connection and wanted is not None:
            needed[field] = wanted
    return {**connection, **needed}


def check_name(name: str) -> None:
    """Raises Invalid by field for what is no backend's name."""
    if not _NAME.fullmatch(name):
        text = "Lower-case letters, digits and hyphens, at most 63."
        raise Invalid(f"Not a backend's name: {text}", errors={"name": [text]})


def check(backend: Backend) -> None:
    """Takes a slash off the end of the endpoint. Raises Invalid for values that cannot be meant, and for a private
    address that staff did not name.
    """
    validated(backend, exclude=("tenant",))
    if not _REGION.fullmatch(backend.region):  # it becomes a part of AWS' host names
        raise Invalid("That is not the name of a region.", errors={"region": ["Not a region."]})
    if backend.kind == "local":
        return
    if backend.vendor and backend.vendor not in quirks.VENDORS:
        known = ", ".join(quirks.VENDORS)
        raise Invalid(f"The vendors known here are {known}.", errors={"vendor": ["Unknown."]})
    _check_bundle(backend.ca_bundle)
    host = _host_of(backend.endpoint) if backend.endpoint else ""
    if host is None:
        raise Invalid(
            "The endpoint must be of the form https://host[:port].", errors={"endpoint": ["Not an address."]}
        )
    if host and not backend.may_be_private and reach.is_private(host):
        raise Invalid(
            "Only platform staff name an address that is not public.",
            errors={"endpoint": ["Only platform staff name an address that is not public."]},
        )
    if not backend.endpoint and not backend.region:
        raise Invalid("Give an endpoint, or a region of AWS.", errors={"endpoint": ["Missing."]})
    backend.endpoint = backend.endpoint.rstrip("/")


def _host_of(endpoint: str) -> str | None:
    """The host of `http[s]://host[:port]`; None for anything else."""
    try:
        parts = urlsplit(endpoint)
        plain = f"{parts.scheme}://{parts.netloc}" == endpoint.rstrip("/") and "@" not in parts.netloc
        well = parts.scheme in ("http", "https") and plain and parts.port != 0
    except ValueError:  # a port out of range, half an IPv6 address
        return None
    return parts.hostname if well else None


def _check_bundle(bundle: str) -> None:
    """Raises Invalid for what are no PEM certificates."""
    if not bundle:
        return
    try:
        if len(bundle) > _LONGEST_BUNDLE:
            raise ValueError("too long")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=bundle)
        if not context.get_ca_certs():
            raise ValueError("no certificate of a CA is in it")
    except (ssl.SSLError, ValueError) as e:
        raise Invalid(
            f"The CA bundle must be PEM certificates: {e}.", errors={"ca_bundle": ["Not certificates."]}
        ) from None
