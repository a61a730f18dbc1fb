"""Readings of use: taken, thinned, shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from gateway.db.scope import platform_scope, tenant_scope
from tenants.principal import Principal
from tests import factories
from workspaces.models import Sample, Service
from workspaces.providers.base import Limits, ProviderError, Spec, Usage
from workspaces.providers.fake import FakeProvider
from workspaces.services import samples
from workspaces.tests.test_ports import service_of

pytestmark = pytest.mark.django_db


def running(fake: FakeProvider, admin: Principal, name: str = "box", **fields: Any) -> Service:
    row = service_of(admin, name, provider="fake", observed_state="running", **fields)
    fake.ensure(Spec(row.key, "service", "t", name, row.offset, Limits(1 << 30, 1000, 100)), running=True)
    return row


def taken(who: Principal) -> list[Sample]:
    with tenant_scope(who.tenant.pk):
        return list(Sample.objects.order_by("at"))


def sample(row: Service, ago: timedelta, **fields: Any) -> Sample:
    values = {"cpu_millis": 0, "cpu_seconds": 0.0, "memory_bytes": 1} | fields
    with platform_scope("tests"):
        made: Sample = Sample.objects.create(
            tenant_id=row.tenant_id, key=row.key, at=timezone.now() - ago, **values
        )
    return made


def test_a_reading_of_all_that_runs(fake: FakeProvider, admin: Principal) -> None:
    other = factories.member(factories.tenant())
    row = running(fake, admin)
    running(fake, other)
    service_of(admin, "stopped", provider="fake")
    service_of(admin, "lost", provider="gone", observed_state="running")
    fake.used[row.key] = Usage(2.5, 7 << 20, 4, 100, 200)
    assert samples.collect() == 2
    (found,) = taken(admin)
    assert (found.key, found.memory_bytes, found.pids) == (row.key, 7 << 20, 4)
    assert (found.received_bytes, found.sent_bytes) == (100, 200)


def test_the_cpu_is_the_mean_since_the_reading_before(fake: FakeProvider, admin: Principal) -> None:
    row = running(fake, admin)
    sample(row, timedelta(seconds=200), cpu_seconds=10.0)
    fake.used[row.key] = Usage(110.0, 1)
    samples.collect()
    assert 450 <= taken(admin)[-1].cpu_millis <= 510


def test_a_new_start_counts_from_its_own(fake: FakeProvider, admin: Principal) -> None:
    row = running(fake, admin, started_at=timezone.now() - timedelta(seconds=100))
    sample(row, timedelta(seconds=200), cpu_seconds=1000.0)
    fake.used[row.key] = Usage(10.0, 1)
    samples.collect()
    assert 80 <= taken(admin)[-1].cpu_millis <= 105


def test_one_that_does_not_answer_is_left_out(
    fake: FakeProvider, admin: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, silent = running(fake, admin), running(fake, admin, "silent")
    usage = fake.usage

    def ask(key: str) -> Usage:
        if key == silent.key:
            raise ProviderError("no")
        return usage(key)

    monkeypatch.setattr(fake, "usage", ask)
    assert samples.collect() == 1
    assert [found.key for found in taken(admin)] == [row.key]


def test_old_readings_are_thinned_and_removed(fake: FakeProvider, admin: Principal) -> None:
    row, minute = service_of(admin), timedelta(minutes=1)
    for number in range(40):  # two hours old, in ten minutes
        sample(row, 120 * minute + number * minute / 4, cpu_millis=100 + number, memory_bytes=number)
    fresh = [sample(row, number * minute).pk for number in range(3)]
    sample(row, timedelta(days=8))
    samples.thin()
    kept = taken(admin)
    assert 2 <= len(kept) - len(fresh) <= 3
    assert {each.pk for each in kept} >= set(fresh)
    old = [each for each in kept if each.pk not in fresh]
    assert max(each.memory_bytes for each in old) == 39
    assert all(100 <= each.cpu_millis < 140 for each in old)
    samples.thin()
    assert len(taken(admin)) == len(kept)


def test_history_has_few_points_of_one_instance(admin: Principal) -> None:
    row, other = service_of(admin), service_of(admin, "other")
    for number in range(50):
        sample(row, timedelta(seconds=15 * number), cpu_millis=number)
    sample(other, timedelta(0), cpu_millis=999)
    sample(row, timedelta(hours=2), cpu_millis=999)
    with tenant_scope(admin.tenant.pk):
        hour, day = (samples.history(row.key, samples.SPANS[span]) for span in ("1h", "24h"))
        newest = samples.now(row.key)
    assert 48 <= len(hour) <= 51
    assert hour == sorted(hour, key=lambda each: each.at)
    assert all(each.cpu_millis < 50 for each in hour)
    assert len(day) < 6
    assert newest is not None and newest.cpu_millis == 0
    with tenant_scope(factories.tenant().pk):
        assert samples.history(row.key, samples.SPANS["1h"]) == []
        assert samples.now(row.key) is None
