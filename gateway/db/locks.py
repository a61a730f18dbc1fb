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
    key = (zlib.crc32(kind.encode()) - (1 << 31), object_id & 0x7FFFFFFF)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        (held,) = cursor.fetchone()
    try:
        yield held
    finally:
        if held:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)
