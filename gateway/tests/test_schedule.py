"""Staff's schedules outlive a restart."""

from __future__ import annotations

from typing import Any

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from gateway.celery import app
from gateway.schedule import Schedule

pytestmark = pytest.mark.django_db


def _start() -> None:
    """What beat does as it starts, on the connection of the test."""
    Schedule(app=app, lazy=True).update_from_dict(app.conf.beat_schedule)


def test_what_staff_changed_stays_and_what_is_new_is_added(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_celery_beat.schedulers.close_old_connections", lambda: None)  # the test's
    monkeypatch.setattr("django_celery_beat.schedulers.transaction.commit", lambda: None)
    _start()
    names = set(settings.CELERY_BEAT_SCHEDULE)
    assert set(PeriodicTask.objects.values_list("name", flat=True)) >= names
    seldom = IntervalSchedule.objects.create(every=5, period="minutes")
    PeriodicTask.objects.filter(name="remove strays").update(interval=seldom, enabled=False)
    PeriodicTask.objects.filter(name="remove garbage").delete()
    PeriodicTask.objects.filter(name="health").update(task="moved.elsewhere")
    _start()
    strays = PeriodicTask.objects.get(name="remove strays")
    assert (strays.interval, strays.enabled) == (seldom, False)
    assert PeriodicTask.objects.filter(name="remove garbage", enabled=True).exists()
    assert PeriodicTask.objects.get(name="health").task == "gateway.tasks.beat_health"


def test_times_that_the_environment_sets_are_followed(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_celery_beat.schedulers.close_old_connections", lambda: None)
    monkeypatch.setattr("django_celery_beat.schedulers.transaction.commit", lambda: None)
    _start()
    seldom = IntervalSchedule.objects.create(every=5, period="minutes")
    PeriodicTask.objects.filter(name__in=["purge tenants", "check domains"]).update(interval=seldom)
    settings.SCHEDULED_BY_ENVIRONMENT = {"purge tenants"}
    _start()
    assert PeriodicTask.objects.get(name="check domains").interval == seldom
    purge = PeriodicTask.objects.get(name="purge tenants")
    assert purge.interval is not None
    assert (purge.interval.every, purge.interval.period) == (settings.PURGE_INTERVAL_SECONDS, "seconds")
