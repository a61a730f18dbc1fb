"""Reading the event log, in the order of its ids, which within a tenant is the order of commits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.decision.database import Connection, Database
from realtime.cloudevents import Rendered
from realtime.database import answering
from realtime.filters import Filter

# A page holds at most so many events and about so many bytes, and looks at most at so many rows for them.
MOST_EVENTS = 200
MOST_BYTES = 256 << 10
MOST_SCANNED = 5000

_PAGE = """
SELECT * FROM (
    SELECT event.id, event.type, event.source, event.subject, event.time, event.data, tenant.slug AS tenant,
        octet_length(event.data::text) AS size,
        sum(octet_length(event.data::text)) OVER (ORDER BY event.id) AS total
    FROM (
        SELECT * FROM realtime_event
        WHERE tenant_id = $1 AND id > $2 AND id <= $3 AND type ~ $4 AND type ~ $5
        ORDER BY id LIMIT $6
    ) event JOIN tenants_tenant tenant ON tenant.id = event.tenant_id
) page WHERE total - size < $7 ORDER BY id
"""
_SCANNED = "SELECT id FROM realtime_event WHERE tenant_id = $1 AND id > $2 ORDER BY id OFFSET $3 LIMIT 1"
_HEAD = "SELECT coalesce(max(id), 0) FROM realtime_event WHERE tenant_id = $1"
_NEWS = """
SELECT asked.tenant_id FROM unnest($1::bigint[], $2::bigint[]) AS asked(tenant_id, position)
WHERE EXISTS (SELECT FROM realtime_event e WHERE e.tenant_id = asked.tenant_id AND e.id > asked.position)
"""
_EVERYTHING = Filter()
_NO_END = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Page:
    """Events in order. The log was read up to and with the id `end`; `more`: it may go on right behind."""

    events: list[Rendered]
    end: int
    more: bool


class EventLog:
    """A tenant's events are read in its own scope, so that row security holds here too.

    Every method raises DatabaseUnavailable while the database does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def head(self, tenant_id: int) -> int:
        """The newest committed id; 0 for an empty log."""
        async with self._tenant(tenant_id) as connection:
            return int(await connection.fetchval(_HEAD, tenant_id))

    async def after(self, tenant_id: int, position: int) -> Page:
        """The events that follow."""
        async with self._tenant(tenant_id) as connection:
            return await _page(connection, tenant_id, position, _NO_END, _EVERYTHING)

    async def between(self, tenant_id: int, position: int, end: int, wanted: Filter) -> Page:
        """The events that follow, up to and with `end`, as far as they pass the filter."""
        async with self._tenant(tenant_id) as connection:
            if wanted != _EVERYTHING:  # bounds a query that seeks few events in a long log
                far = await connection.fetchval(_SCANNED, tenant_id, position, MOST_SCANNED)
                end = min(end, far or end)
            return await _page(connection, tenant_id, position, end, wanted)

    async def news(self, positions: Mapping[int, int]) -> list[int]:
        """The tenants, of those with a position, whose logs go beyond it. Looks across tenants, at no content."""
        with answering():
            async with self._database.wide() as connection:
                rows = await connection.fetch(_NEWS, list(positions), list(positions.values()))
        return [row["tenant_id"] for row in rows]

    @asynccontextmanager
    async def _tenant(self, tenant_id: int) -> AsyncIterator[Connection]:
        with answering():
            async with self._database.tenant(tenant_id) as connection:
                yield connection


async def _page(connection: Connection, tenant_id: int, position: int, end: int, wanted: Filter) -> Page:
    rows = await connection.fetch(_PAGE, tenant_id, position, end, *wanted.patterns, MOST_EVENTS, MOST_BYTES)
    more = len(rows) == MOST_EVENTS or bool(rows and rows[-1]["total"] >= MOST_BYTES)
    events = [Rendered(row) for row in rows]
    return Page(events, events[-1].id if events and (more or end == _NO_END) else end, more)
