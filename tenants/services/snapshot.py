"""Telling the decision processes, and this one, that what they hold in memory has changed."""

from __future__ import annotations

from django.db import connection

from gateway.queue import after_commit

from . import principals

CHANNEL = "gatehouse_snapshot"


def changed(topic: str) -> None:
    """Ask every decision process to read `topic` again once the caller's transaction has committed.

    The notice names the topic alone: anyone connected to the database may listen. Principals that this process
    keeps are dropped now, for what follows in the transaction, and after it; other processes keep them for
    `principals.KEPT_SECONDS`.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, topic])
    principals.cache.clear()
    after_commit(principals.cache.clear)
