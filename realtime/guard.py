"""Ends connections whose credential no longer holds: revoked, expired, deactivated, suspended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from django.db import Error as DatabaseError
from django.utils.timezone import now

from gateway.decision.database import Database
from gateway.errors import DomainError
from realtime.database import DatabaseUnavailable, answering
from realtime.reader import Ending, Reader
from tenants.services import standing
from tenants.services.standing import Holder

log = logging.getLogger(__name__)
PERMISSION = "event.read"
Renew = Callable[[Holder], Awaitable[None]]
"""Raises as the credential would, and Forbidden where it may read events no longer."""


@dataclass(slots=True)
class _Watched:
    state: str | None = None
    readers: set[Reader] = field(default_factory=set)


class Guard:
    """One cheap query a second for all credentials of the process; only where its answer changes is one resolved."""

    def __init__(self, database: Database, renew: Renew) -> None:
        self._database = database
        self._renew = renew
        self._watched: dict[Holder, _Watched] = {}

    def watch(self, holder: Holder, reader: Reader) -> None:
        """From the next check on. The first one resolves: things may have changed while the caller connected."""
        self._watched.setdefault(holder, _Watched()).readers.add(reader)

    def unwatch(self, holder: Holder, reader: Reader) -> None:
        watched = self._watched.get(holder)
        if watched is not None:
            watched.readers.discard(reader)
            if not watched.readers:
                del self._watched[holder]

    async def check(self) -> None:
        """Compare, and resolve what changed. While the database does not answer, no event comes from it either."""
        holders = list(self._watched)
        if not holders:
            return
        try:
            with answering():
                async with self._database.wide() as connection:
                    rows = await connection.fetch(standing.STATE, *standing.states(holders))
        except DatabaseUnavailable as error:
            log.warning("credentials cannot be checked: %s", error)
            return
        states = [(holders[row["n"] - 1], row["state"]) for row in rows]
        await asyncio.gather(
            *(self._resolve(h, state) for h, state in states if self._may_have_ended(h, state))
        )

    def _may_have_ended(self, holder: Holder, state: str) -> bool:
        watched = self._watched.get(holder)
        ends = holder.credential.expires_at
        return watched is not None and (watched.state != state or (ends is not None and ends <= now()))

    async def _resolve(self, holder: Holder, state: str) -> None:
        try:
            await self._renew(holder)
        except DatabaseError as error:
            log.warning("a credential cannot be checked: %s", error)
        except DomainError as error:
            if watched := self._watched.get(holder):
                for reader in watched.readers:
                    reader.end(Ending(error.code, error.detail, error.status, 1008))
        else:
            if watched := self._watched.get(holder):
                watched.state = state
