"""What streams do while something they need is away."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import psycopg
import pytest
from django.db import connection

from realtime.services import valkey
from realtime.tests.clients import Stream, emit, token
from realtime.tests.conftest import Live
from tests import factories
from tests.instance import until

pytestmark = pytest.mark.django_db(transaction=True)
NOWHERE = "127.0.0.1:1"


def test_without_valkey_events_come_all_the_same(
    live_with: Callable[..., AbstractContextManager[Live]],
) -> None:
    reader = factories.member(factories.tenant())
    with (
        live_with(REDIS_URL=f"redis://{NOWHERE}/0") as live,
        Stream(live.port, token=token(reader)) as stream,
    ):
        for subject in ("1", "2"):
            emit(reader.tenant.pk, subject)
            assert [event["subject"] for event in stream.take(1, seconds=10)] == [subject]
        with Stream(live.port, "ticket=anything") as refused:
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")


def test_the_bell_is_heard_again_after_valkey_was_away(live: Live) -> None:
    reader = factories.member(factories.tenant())
    with Stream(live.port, token=token(reader)) as stream:
        valkey().execute_command("CLIENT", "KILL", "TYPE", "pubsub")

        def five_at_once() -> bool:
            """Whether five, one after the other, come sooner than the net alone brings them."""
            start = time.monotonic()
            for subject in map(str, range(5)):
                emit(reader.tenant.pk, subject)
                assert [event["subject"] for event in stream.take(1)] == [subject]
            return time.monotonic() - start < 1

        until(five_at_once, 60, "the bell is heard")


def test_lost_database_connections_lose_and_repeat_nothing(live: Live) -> None:
    reader = factories.member(factories.tenant())
    (start,) = emit(reader.tenant.pk, "start")
    ids: list[str] = []

    def write() -> None:
        try:
            for number in range(150):
                ids.extend(emit(reader.tenant.pk, str(number)))
                time.sleep(0.02)
        finally:
            connection.close()

    writer = threading.Thread(target=write)
    with Stream(live.port, token=token(reader), last=start) as stream:
        writer.start()
        while writer.is_alive():
            _break_connections()
            time.sleep(0.3)
        writer.join()
        assert [event["id"] for event in stream.take(150)] == ids
        assert stream.take(1, seconds=1.5) == []


def _break_connections() -> None:
    """End every connection of the live process's pools, as a restart of PostgreSQL does."""
    name = connection.settings_dict["NAME"]
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as chaos:
        chaos.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = %s AND application_name LIKE 'gatehouse-%%'",
            [name],
        )


def test_without_a_database_a_stream_is_refused_for_now(
    live_with: Callable[..., AbstractContextManager[Live]],
) -> None:
    reader = factories.member(factories.tenant())
    with (
        live_with(DATABASE_URL=f"postgresql://nobody@{NOWHERE}/nothing") as live,
        Stream(live.port, token=token(reader)) as stream,
    ):
        assert (stream.status, stream.problem["code"]) == (503, "unavailable")
        assert stream.headers["retry-after"] == "1"


def test_a_restart_ends_streams_at_once_and_they_resume(
    live_with: Callable[..., AbstractContextManager[Live]],
) -> None:
    reader = factories.member(factories.tenant())
    with live_with() as live, Stream(live.port, token=token(reader)) as stream:
        (last,) = emit(reader.tenant.pk, "before")
        assert [event["id"] for event in stream.take(1)] == [last]
        live.terminate()
        assert list(stream.events()) == []
        assert stream.error == {}
    emit(reader.tenant.pk, "meanwhile")
    with live_with() as live, Stream(live.port, token=token(reader), last=last) as stream:
        assert [event["subject"] for event in stream.take(1)] == ["meanwhile"]
