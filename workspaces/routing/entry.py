"""Who may enter: what every request for something that runs is asked first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.api.ratelimit import neighbourhood
from gateway.decision import origins
from gateway.errors import Forbidden, RateLimited, Unauthenticated
from gateway.metrics.series import RATE_LIMITED

if TYPE_CHECKING:
    from gateway.decision.callers import Shown
    from gateway.decision.context import DecisionContext
    from gateway.decision.types import RequestHead
    from tenants.principal import Principal

MISSING = "Send a bearer token, an API key, or sign in."


async def caller_of(
    head: RequestHead, given: Shown | None, ctx: DecisionContext, *, tenant: str | None = None
) -> Principal:
    """The principal behind a credential, in the tenant of that slug, else the one that the request names.

    Raises Unauthenticated, Forbidden (also where a foreign page made a browser send its session), NotFound (tenant),
    RateLimited, DatabaseBusy.
    """
    if given is None:
        raise Unauthenticated(MISSING)
    if given.kind == "session" and not origins.lets_cookies_count(head, ctx.settings):
        raise Forbidden("A session is used from this site's own pages only.", code="origin_refused")
    try:
        return await ctx.callers.find(head, given, tenant=tenant)
    except Unauthenticated:
        take(ctx, "auth", neighbourhood(head.client_ip), ctx.settings.AUTH_RATE_LIMIT)
        raise


def take(ctx: DecisionContext, group: str, caller: object, per_minute: int) -> None:
    """Count a request. Raises RateLimited."""
    if wait := ctx.limits.take(group, caller, per_minute):
        RATE_LIMITED.labels(group).inc()
        raise RateLimited(f"More than {per_minute} requests a minute.", retry_after=wait)
