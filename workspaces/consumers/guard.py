"""Ends connections that would be refused by now: the credential, the permission, the reach, what it is about."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import Error as DatabaseError
from django.utils.timezone import now

from gateway.decision.database import Database
from gateway.errors import DomainError
from realtime import lifespan
from realtime.database import DatabaseUnavailable, answering
from realtime.reader import Ending
from tenants.services import standing

from . import admission
from .connection import Connection

log = logging.getLogger(__name__)
SECONDS = 1.0
# Rows: a connection's position, from 1, and a text that changes whenever what `check_again` looks at does, beside the
# credential. Runs in the wide role.
_INSTANCES = """
SELECT asked.n, row(
    coalesce(w.desired_state, s.desired_state), coalesce(w.observed_state, s.observed_state),
    coalesce(w.deleted_at, s.deleted_at), w.owner_id, w.is_hidden, share.id
)::text AS state
FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS asked(public_id, user_id, n)
LEFT JOIN workspaces_workspace w ON w.public_id = asked.public_id
LEFT JOIN workspaces_service s ON s.public_id = asked.public_id
LEFT JOIN workspaces_workspaceshare share ON share.workspace_id = w.id AND share.user_id = asked.user_id
"""


class Guard:
    """Two cheap queries a second for all connections of the process; where an answer changes, all is checked again.

    The first look checks: things may have changed while the caller connected.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watched: set[Connection] = set()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def watching(self, connection: Connection) -> Iterator[None]:
        self._watched.add(connection)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="workspaces-guard")
        try:
            yield
        finally:
            self._watched.discard(connection)
            if not self._watched and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _run(self) -> None:
        """A defect in one round is logged and must not end the rounds."""
        while True:
            await asyncio.sleep(SECONDS)
            try:
                await self.check()
            except Exception:
                log.exception("connections could not be checked")

    async def check(self) -> None:
        """Compare, and check again what changed."""
        watched = list(self._watched)
        holders = [each.admitted.holder for each in watched]
        ids = [each.admitted.instance.public_id for each in watched]
        try:
            with answering():
                async with self._database.wide() as conn:
                    people = await conn.fetch(standing.STATE, *standing.states(holders))
                    things = await conn.fetch(_INSTANCES, ids, [holder.user_id for holder in holders])
        except DatabaseUnavailable as error:
            log.warning("connections cannot be checked: %s", error)
            return
        standings, instances = _by_number(people), _by_number(things)
        changed = []
        for number, connection in enumerate(watched, 1):
            state = standings[number], instances[number]
            ends = connection.admitted.holder.credential.expires_at
            if connection.state != state or (ends is not None and ends <= now()):
                changed.append(_check(connection, state))
        await asyncio.gather(*changed)


def _by_number(rows: list[dict[str, object]]) -> dict[object, str]:
    return {row["n"]: str(row["state"]) for row in rows}


async def _check(connection: Connection, state: tuple[str, str]) -> None:
    try:
        await lifespan.on_thread(admission.check_again, connection.admitted, connection.needs_running)
    except DatabaseError as error:
        log.warning("a connection cannot be checked: %s", error)
    except DomainError as error:
        connection.end(Ending(error.code, error.detail, error.status, 1008))
    else:
        connection.state = state
