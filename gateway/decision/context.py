"""What every decider is given: the snapshot, the database, HTTP, Valkey and the settings."""

import ipaddress
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import redis.asyncio

from gateway.decision.database import POOL_LABELS, POOL_TEXT, Database, DatabaseAddress
from gateway.decision.limits import Limits
from gateway.decision.names import Names
from gateway.decision.registry import Registry
from gateway.decision.snapshot import Snapshot, SnapshotPart
from gateway.metrics import REGISTRY, Reading

if TYPE_CHECKING:
    from gateway.decision.callers import Callers

PUBLIC_HOSTS = "platform.public-hosts"
"""The name of the snapshot part (a set of host names) that adds to the hosts the settings name."""


@dataclass(slots=True, eq=False)
class DecisionContext:
    """Made once at start, closed at the end; shared by all requests of the process."""

    snapshot: Snapshot
    """Configuration in memory: `ctx.snapshot.get(PART)`, `await ctx.snapshot.refresh(PART)`."""
    db: Database
    """`async with ctx.db.wide() as conn:` and `async with ctx.db.tenant(tenant_id) as conn:`."""
    http: aiohttp.ClientSession
    """For calls to backends, whose number at a time is the caller's to bound.

    Connecting is limited to 5 s and a call to 60 s unless it says otherwise.
    """
    redis: "redis.asyncio.Redis"
    settings: Any
    """django.conf.settings."""
    public_hosts: frozenset[str] = frozenset()
    hosts_part: SnapshotPart[frozenset[str]] | None = field(default=None)
    limits: Limits = field(default_factory=Limits)
    """How often a caller may ask: `ctx.limits.take("<group>", caller, per_minute)`."""
    callers: "Callers" = field(default=cast("Any", None))
    """Who asks: `await ctx.callers.find(head, given)`. None in a process without Django's models."""
    names: Names = field(default_factory=Names)
    """The names that `http` dials: who bounds its look-ups calls `await ctx.names.find(host, askers)` first."""

    def is_public_host(self, host: str) -> bool:
        """Whether the platform itself (pages, API, path-style S3) is served under that host name.

        True for the names in the settings, for addresses of this machine's loopback, and for the
        domains that the snapshot holds.
        """
        if host in self.public_hosts:
            return True
        return self.hosts_part is not None and host in (self.snapshot.get(self.hosts_part) or ())


def hosts_of(settings: Any) -> frozenset[str]:
    """The host names under which the platform is always served."""
    names = {"localhost", "127.0.0.1", "::1", settings.PUBLIC_HOST.lower()}
    names.update(name.lower() for name in getattr(settings, "EDGE_PUBLIC_HOSTS", ()))
    return frozenset(_plain(name) for name in names)


def _plain(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return name.removesuffix(".")


@asynccontextmanager
async def open_context(registry: Registry, settings: Any) -> AsyncIterator[DecisionContext]:
    """Open what the deciders need and close it at the end. The database may still be coming up."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)  # a connection is a file
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    db = Database(DatabaseAddress.from_django(settings))
    snapshot = Snapshot(registry.parts, db)
    timeout = aiohttp.ClientTimeout(total=60, connect=5)
    names = Names()
    # Who calls bounds requests and look-ups by backend: one that stalls takes no other's.
    connector = aiohttp.TCPConnector(limit=0, resolver=names, use_dns_cache=False)
    cache = redis.asyncio.Redis.from_url(
        settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2, max_connections=64
    )
    pools = Reading("gatehouse_database_connections", POOL_TEXT, POOL_LABELS, db.usage)
    http = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
    from gateway.decision.callers import Callers  # models, which are not there yet when this file is read

    callers = Callers()
    try:
        await snapshot.start()
        yield DecisionContext(
            callers=callers,
            snapshot=snapshot,
            db=db,
            http=http,
            names=names,
            redis=cache,
            settings=settings,
            public_hosts=hosts_of(settings),
            hosts_part=next((part for part in registry.parts if part.name == PUBLIC_HOSTS), None),
        )
    finally:
        REGISTRY.unregister(pools)
        await snapshot.close()
        await callers.close()
        await http.close()
        await names.close()
        await cache.aclose()
        await db.close()
