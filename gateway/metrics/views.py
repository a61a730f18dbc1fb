"""`/metrics`: for a holder of METRICS_TOKEN, and for who is on this machine where nobody else is meant to be."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from tenants import resolver

from .files import AllProcesses
from .scraped import Scraped

_registry = CollectorRegistry(auto_describe=False)
_registry.register(AllProcesses())
_registry.register(Scraped())


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The text format of Prometheus (version 1.0.0). 401 without the token where there is one; else as if not there."""
    if not (_bears_token(request) or _is_internal(request)):
        if not settings.METRICS_TOKEN:
            raise Http404
        refused = HttpResponse("The token of the metrics is needed.\n", status=401, content_type="text/plain")
        refused["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return refused
    answer = HttpResponse(generate_latest(_registry), content_type=CONTENT_TYPE_LATEST)
    answer["Cache-Control"] = "no-store"
    return answer


def _bears_token(request: HttpRequest) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    wanted = settings.METRICS_TOKEN
    return bool(wanted) and scheme.lower() == "bearer" and constant_time_compare(given.strip(), wanted)


def _is_internal(request: HttpRequest) -> bool:
    """Asked from this machine, under a name of this machine, of a platform whose own address is this machine.

    A proxy of this machine that is not in TRUSTED_PROXIES makes strangers look local, whatever it says of them. But
    then the platform has a public address, and a token is needed.
    """
    host = request.get_host().rsplit(":", 1)[0].strip("[]")
    asked = (settings.PUBLIC_HOST, host, resolver.client_ip(request) or "")
    return all(name == "localhost" or _is_loopback(name) for name in asked)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
