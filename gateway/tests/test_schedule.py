"""Staff's schedules outlive a restart."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from gateway.celery import app
from gateway.schedule import Schedule
from tests import factories

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


def test_staff_edit_a_schedule_in_the_administration_and_beat_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("django_celery_beat.schedulers.close_old_connections", lambda: None)  # the test's
    monkeypatch.setattr("django_celery_beat.schedulers.transaction.commit", lambda: None)
    assert app.conf.beat_scheduler == "gateway.schedule:Schedule"
    beat = Schedule(app=app)
    assert beat.schedule["seal audit"].schedule.run_every.total_seconds() == 300
    job = PeriodicTask.objects.get(name="seal audit")
    hourly = IntervalSchedule.objects.create(every=1, period="hours")
    factories.staff()
    staff = Client()
    staff.post(reverse("login"), {"username": "root-of-all", "password": factories.PASSWORD})
    url = reverse("admin:django_celery_beat_periodictask_change", args=[job.pk])
    form = {
        "name": job.name,
        "regtask": job.task,
        "task": job.task,
        "enabled": "on",
        "interval": hourly.pk,
        "args": "[]",
        "kwargs": "{}",
        "headers": "{}",
    }
    answer = staff.post(url, form)
    assert answer.status_code == 302, answer.context["errors"]
    assert beat.schedule["seal audit"].schedule.run_every.total_seconds() == 3600
