"""How often a caller may ask the API and the pages: counted in Valkey, and so over all processes.

Who is known counts for themselves in their tenant, with all their credentials together; who is not, as an address.
There is no limit for a tenant as a whole: its callers are bounded by its quota of users, and one of them who asks
too often shall not shut the others out.
"""

from __future__ import annotations

import ipaddress
import logging
from typing import Literal

from django.conf import settings
from django.http import HttpRequest
from django_ratelimit.core import get_usage
from redis.exceptions import RedisError

from gateway.errors import RateLimited
from gateway.metrics.series import RATE_LIMITED
from tenants import resolver
from tenants.principal import Principal
from tenants.services import rates

log = logging.getLogger(__name__)
Group = Literal["api", "auth", "stream"]


def count(group: Group, request: HttpRequest, who: str, per_minute: int) -> None:
    """Count one request of `who`; 0 is no limit. Raises RateLimited with the seconds to wait.

    Without Valkey nothing can be counted, and requests pass: an outage of the cache is not one of the platform.
    """
    if not per_minute:
        return
    try:
        usage = get_usage(request, group=group, key=lambda *_: who, rate=f"{per_minute}/m", increment=True)
    except RedisError as e:
        log.warning("rates are not counted: %s", e)
        return
    if usage and usage["should_limit"]:
        RATE_LIMITED.labels(group).inc()
        raise RateLimited(
            f"More than {per_minute} requests a minute.", retry_after=max(1, usage["time_left"])
        )


def count_address(group: Group, request: HttpRequest) -> None:
    """Count a request of somebody who is not known, or whose credential is refused. Raises RateLimited."""
    rate = settings.AUTH_RATE_LIMIT if group == "auth" else settings.API_RATE_LIMIT
    count(group, request, f"ip:{neighbourhood(resolver.client_ip(request))}", rate)


def count_caller(group: Group, request: HttpRequest, caller: Principal) -> None:
    """Count a request of a principal, at their tenant's rate where it has one of its own. Raises RateLimited."""
    own = rates.of_tenant(caller.tenant.pk)
    told, default = (
        (own.auth, settings.AUTH_RATE_LIMIT) if group == "auth" else (own.api, settings.API_RATE_LIMIT)
    )
    who = caller.user.pk if caller.user else f"{caller.credential.kind}:{caller.credential.id}"
    count(group, request, f"{caller.tenant.pk}:{who}", default if told is None else told)


def count_sign_in(request: HttpRequest, username: str) -> None:
    """Count an attempt by address, and by account, which one may try from many addresses. Raises RateLimited."""
    count_address("auth", request)
    count_account(request, username)


def count_account(request: HttpRequest, username: str) -> None:
    """Count an attempt to sign in to an account, wherever it comes from. Raises RateLimited."""
    count("auth", request, f"name:{username.lower()}", rates.of_account(username, settings.AUTH_RATE_LIMIT))


def neighbourhood(address: str | None) -> str:
    """An address; of IPv6 its /64, which one subscriber has whole."""
    if address is None or ":" not in address:
        return str(address)
    return str(ipaddress.ip_network(f"{address}/64", strict=False))
