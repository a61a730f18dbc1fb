"""Who asks: from the credential in a request's head to the principal, by the resolver that the API and pages use.

A caller who was established within the last second costs a look into memory (`tenants.services.principals`). Anyone
else is looked up by Django on one of a few threads: an unknown API key costs an Argon2 verification, and a flood of
them must take neither the event loop nor the machine.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connections
from django.http import parse_cookie

from gateway.db.scope import no_scope
from gateway.decision.database import DatabaseBusy
from gateway.errors import Unauthenticated
from tenants import resolver
from tenants.principal import Principal
from tenants.resolver import Asked

if TYPE_CHECKING:
    from gateway.decision.types import RequestHead

T = TypeVar("T")

THREADS = 4
WAITING = 256
"""Look-ups under way or waiting for a thread; one more is refused."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The credential that a request shows. A browser sends `session` by itself, whoever made it ask."""

    kind: Literal["token", "session"]
    text: str


def shown(head: RequestHead) -> Shown | None:
    """The Authorization header's token, else X-API-Key, else the session's cookie; None where there is none.

    Raises Unauthenticated for another form of authorization.
    """
    header = head.headers.get("authorization")
    if header:
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("The Authorization header must be of the form: Bearer <token>.")
        return Shown("token", token)
    key = head.headers.get("x-api-key")
    if key:
        return Shown("token", key)
    session = session_of(head)
    return Shown("session", session) if session else None


def session_of(head: RequestHead) -> str:
    """The key of the browser's session, or the empty string."""
    name: str = settings.SESSION_COOKIE_NAME
    for cookies in head.headers.all("cookie"):
        if name in cookies and (session := parse_cookie(cookies).get(name)):
            return session
    return ""


class Callers:
    """One per process."""

    def __init__(self, *, threads: int = THREADS, waiting: int = WAITING) -> None:
        self._size, self._waiting = threads, waiting
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="callers")
        self._count = 0
        self._asked: dict[tuple[Shown, Asked], asyncio.Task[Principal]] = {}

    async def find(self, head: RequestHead, given: Shown, *, tenant: str | None = None) -> Principal:
        """The principal behind what `shown` found, in the tenant of that slug, else the one that the request names.

        Its rows are shared: change nothing. Raises Unauthenticated, Forbidden and NotFound as the resolver does,
        DatabaseBusy.
        """
        at = Asked(tenant or head.headers.get("x-tenant") or None, head.host, head.client_ip)
        found = resolver.kept(given.kind, given.text, at)
        if found is not None:
            return found
        key = (given, at)
        task = self._asked.get(key)
        if task is None:
            if given.kind == "session":
                agent = head.headers.get("user-agent") or ""
                ask = partial(resolver.from_cookie, given.text, at, user_agent=agent)
            else:
                ask = partial(resolver.from_token, given.text, at)
            task = self._asked[key] = asyncio.create_task(self.run(ask))
            task.add_done_callback(lambda _: self._asked.pop(key))
        return await asyncio.shield(task)

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` answers, on a thread with Django's database and no scope. Raises what it does, DatabaseBusy."""
        if self._count >= self._waiting:
            raise DatabaseBusy(f"{self._count} look-ups wait already")
        self._count += 1
        try:
            job = partial(copy_context().run, _with_database, work)
            return await asyncio.get_running_loop().run_in_executor(self._threads, job)
        except (DatabaseError, InterfaceError) as error:
            raise DatabaseBusy(f"the database does not answer: {error}") from error
        finally:
            self._count -= 1

    async def close(self) -> None:
        """Close the threads and their connections."""
        together = threading.Barrier(self._size)
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(loop.run_in_executor(self._threads, _disconnect, together) for _ in range(self._size))
        )
        self._threads.shutdown()


def _with_database(work: Callable[[], T]) -> T:
    close_old_connections()  # as at a request's beginning and end: a connection that broke is not used again
    try:
        with no_scope():
            return work()
    finally:
        close_old_connections()


def _disconnect(together: threading.Barrier) -> None:
    """On every thread once: each waits until all are here."""
    connections.close_all()
    together.wait(5)
