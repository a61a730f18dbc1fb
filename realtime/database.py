"""What every way in which PostgreSQL does not answer looks like to the streams: one error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from gateway.decision.database import DatabaseBusy


class DatabaseUnavailable(Exception):
    """The same call may succeed later."""


@contextmanager
def answering() -> Iterator[None]:
    """Raises DatabaseUnavailable for what the pool and asyncpg raise within."""
    try:
        yield
    except (
        DatabaseBusy,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,  # a connection that was just cut
        OSError,
        TimeoutError,
    ) as error:
        raise DatabaseUnavailable(str(error) or type(error).__name__) from error
