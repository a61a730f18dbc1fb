"""Writing object rows from outside the decision process, which may keep them in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction

from gateway.errors import Unavailable
from storage.index.lease import LOCK, PATIENCE


@contextmanager
def writing() -> Iterator[None]:
    """A transaction that begins once no process keeps object rows; at its end, they may be kept again.

    Raises Unavailable when the process that keeps them does not let go.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        try:
            with transaction.atomic():
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{PATIENCE:.0f}s"])
                cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", LOCK)
                cursor.execute("SELECT set_config('lock_timeout', '0', true)")
        except OperationalError as e:
            raise Unavailable("The object index is busy; try again shortly.") from e
        yield
