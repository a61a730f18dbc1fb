"""Advisory locks: one holder per object, across processes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def advisory_lock(kind: str, object_id: int) -> Iterator[bool]:
    """Try to hold (kind, id) for the block, on this session; yields whether it was got. Never waits.

    A crash of the holder ends its session and with it the lock.
    """
    key = (_number(kind), object_id & 0x7FFFFFFF)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        (held,) = cursor.fetchone()
    try:
        yield held
    finally:
        if held:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)


def lock_until_commit(kind: str) -> None:
    """Hold `kind`, which all tenants share, until the caller's transaction ends; waits for its holder."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_number(kind)])


def _number(kind: str) -> int:
    return zlib.crc32(kind.encode()) - (1 << 31)
