"""Publishing events: the last statement of the transaction that makes the change."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

import redis
from django.conf import settings
from django.db import connection
from psycopg.types.json import Jsonb

from gateway.db.scope import platform_scope
from gateway.queue import after_commit
from realtime.filters import CHANNELS

if TYPE_CHECKING:
    from tenants.principal import Principal

log = logging.getLogger(__name__)
BELL = "gatehouse:bell"
# CloudEvents asks that 64 KiB always pass; the table refuses more (events say what happened, not all about it).
MOST_DATA = 64 << 10
_PURGED_AT_ONCE = 5000


def publish(
    tenant_id: int,
    kind: str,
    *,
    subject: str = "",
    data: dict[str, object] | None = None,
    actor: Principal | None = None,
) -> int:
    """Write an event `<channel>.<noun>.<participle>` into the caller's transaction; returns its id.

    Call it last: it takes the tenant's lock until the commit, so that ids follow the order of commits and a reader
    that goes by ids skips none. Raises ValueError for a type outside the channels.
    """
    channel, _, rest = kind.partition(".")
    if channel not in CHANNELS or rest.count(".") != 1:
        raise ValueError(f"not an event type: {kind}")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT publish_event(%s, %s, %s, %s, %s, %s)",
            [tenant_id, kind, channel, subject, Jsonb(data or {}), actor.label if actor else ""],  # type: ignore[list-item]
        )
        (event_id,) = cursor.fetchone()
    after_commit(ring, tenant_id)
    return int(event_id)


def purge(tenant_id: int) -> str:
    """Remove a tenant's events: a step of `tenants.services.purge`, which the database allows for none but such."""
    with platform_scope("the function looks at the tenant itself"), connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT purge_events(%s, %s)", [tenant_id, _PURGED_AT_ONCE])
            if cursor.fetchone() == (0,):
                return ""


@cache
def valkey() -> redis.Redis:
    """The process's client, for short calls: a second at most."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)


def ring(tenant_id: int) -> None:
    """Tell readers that a tenant has news. A bell that is not heard costs a second: they also look by themselves."""
    try:
        valkey().publish(BELL, str(tenant_id))
    except redis.RedisError as e:
        log.warning("the bell was not rung: %s", e)
