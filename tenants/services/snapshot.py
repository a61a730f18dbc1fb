"""Telling the decision processes that what they hold in memory has changed."""

from __future__ import annotations

from django.db import connection

CHANNEL = "gatehouse_snapshot"


def changed(topic: str) -> None:
    """Ask every decision process to read `topic` again once the caller's transaction has committed.

    The notice names the topic alone: anyone connected to the database may listen.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, topic])
