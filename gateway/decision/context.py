"""What every decider is given: the snapshot, the database, HTTP, Valkey and the settings."""

from dataclasses import dataclass
from typing import Any

import aiohttp
import redis.asyncio

from gateway.decision.database import Database
from gateway.decision.snapshot import Snapshot


@dataclass(slots=True, eq=False)
class DecisionContext:
    """Made once at start, closed at the end; shared by all requests of the process."""

    snapshot: Snapshot
    """Configuration in memory: `ctx.snapshot.get(PART)`, `await ctx.snapshot.refresh(PART)`."""
    db: Database
    """`async with ctx.db.wide() as conn:` and `async with ctx.db.tenant(tenant_id) as conn:`."""
    http: aiohttp.ClientSession
    """For calls to backends; give each call its own timeout."""
    redis: "redis.asyncio.Redis"
    settings: Any
    """django.conf.settings."""
