"""What every way in which PostgreSQL does not answer looks like to the streams: one error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.decision.database import LOST, DatabaseBusy


class DatabaseUnavailable(Exception):
    """The same call may succeed later."""


@contextmanager
def answering() -> Iterator[None]:
    """Raises DatabaseUnavailable for what the pool and asyncpg raise within."""
    try:
        yield
    except (DatabaseBusy, *LOST) as error:
        raise DatabaseUnavailable(str(error) or type(error).__name__) from error
