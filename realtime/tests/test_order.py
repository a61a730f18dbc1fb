"""Commit order: nobody's reader skips, repeats or reorders an event, whatever the writers do."""

from __future__ import annotations

import random
import threading
import time

import pytest
from django.db import connection, transaction

from gateway.db.scope import tenant_scope
from realtime.services import publish
from realtime.tests.clients import Stream, emit, token
from realtime.tests.conftest import Live
from tenants.principal import Principal
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
WRITERS, EACH = 16, 60


def _write(tenant_id: int, name: str, count: int, seed: int) -> None:
    """Transactions of one or two events, some slow, some rolled back."""
    chance = random.Random(seed)
    try:
        for number in range(count):
            with tenant_scope(tenant_id), transaction.atomic():
                if chance.random() < 0.1:
                    publish(tenant_id, "storage.object.created", subject="rolled back")
                    transaction.set_rollback(True)
                    continue
            with tenant_scope(tenant_id), transaction.atomic():
                publish(tenant_id, "storage.object.created", subject=f"{name}/{number}")
                time.sleep(chance.choice((0, 0, 0, 0.01)))
    finally:
        connection.close()


def test_sixteen_writers_and_a_reader_that_keeps_losing_its_connection(live: Live) -> None:
    reader = factories.member(factories.tenant())
    bearer = token(reader)
    (start,) = emit(reader.tenant.pk, "start")
    threads = [
        threading.Thread(target=_write, args=(reader.tenant.pk, str(n), EACH, n)) for n in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    chance, last, ids, subjects = random.Random(7), start, [], []
    with Stream(live.port, token=bearer, last=start) as steady:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with Stream(live.port, token=bearer, last=last) as stream:
                for event in stream.take(chance.randint(1, 120), seconds=3):
                    ids.append(int(event["id"]))
                    subjects.append(event["subject"])
                    last = event["id"]
            if not any(thread.is_alive() for thread in threads) and len(set(subjects)) >= _committed(reader):
                break
        for thread in threads:
            thread.join()
        expected = _committed(reader)
        assert "rolled back" not in subjects
        assert ids == sorted(set(ids)), "an event came twice or out of order"
        assert len(ids) == expected > WRITERS * EACH * 0.8
        for writer in range(WRITERS):
            own = [subject for subject in subjects if subject.startswith(f"{writer}/")]
            assert own == sorted(own, key=lambda subject: int(subject.split("/")[1]))
        assert [int(event["id"]) for event in steady.take(expected)] == ids


def _committed(reader: Principal) -> int:
    with tenant_scope(reader.tenant.pk), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM realtime_event WHERE subject LIKE '%/%'")
        return int(cursor.fetchone()[0])


def test_a_slower_transaction_is_not_skipped(live: Live) -> None:
    """The second publisher waits for the first one's commit, so ids cannot be read out of order."""
    reader = factories.member(factories.tenant())
    with Stream(live.port, token=token(reader)) as stream:
        with tenant_scope(reader.tenant.pk), transaction.atomic():
            publish(reader.tenant.pk, "storage.object.created", subject="0/slow")
            faster = threading.Thread(target=_write, args=(reader.tenant.pk, "1", 1, 1))
            faster.start()
            assert stream.take(1, seconds=1.5) == []
        assert [event["subject"] for event in stream.take(2)] == ["0/slow", "1/0"]
        faster.join()


def test_raw_sql_in_a_tenants_scope_sees_that_tenants_events_only(live: Live) -> None:
    one, other = factories.tenant(), factories.tenant()
    emit(one.pk, "own")
    emit(other.pk, "foreign")
    with tenant_scope(one.pk), connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tenant_id FROM realtime_event")
        assert cursor.fetchall() == [(one.pk,)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM realtime_event")
        assert cursor.fetchone() == (0,)
