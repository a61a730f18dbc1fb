"""Counting the requests of the web process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter, Histogram

from .series import REQUEST_SECONDS, REQUESTS

log = logging.getLogger(__name__)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def measured(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """By the pattern that matched, so that there are as many series as patterns, whatever is asked for."""

    def middleware(request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = get_response(request)
        took = time.perf_counter() - began
        route = _route(request)
        method = request.method if request.method in _METHODS else "other"
        _count(route, method, response.status_code).inc()
        _seconds(route, method).observe(took)
        log.debug("%s %s %d in %.1f ms", method, route, response.status_code, took * 1000)
        return response

    return middleware


@cache
def _count(route: str, method: str, status: int) -> Counter:
    """Finding a series costs more than counting in it."""
    return REQUESTS.labels(route, method, status)


@cache
def _seconds(route: str, method: str) -> Histogram:
    return REQUEST_SECONDS.labels(route, method)


def _route(request: HttpRequest) -> str:
    if request.resolver_match is not None:
        return f"/{request.resolver_match.route}"
    return settings.STATIC_URL if request.path_info.startswith(settings.STATIC_URL) else "none"
