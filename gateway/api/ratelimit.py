"""How often a caller may ask."""

from __future__ import annotations

import logging
from typing import Literal

from django.http import HttpRequest
from django_ratelimit.core import get_usage
from redis.exceptions import RedisError

from gateway.errors import RateLimited

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
        raise RateLimited(
            f"More than {per_minute} requests a minute.", retry_after=max(1, usage["time_left"])
        )
