"""When background jobs run: what CELERY_BEAT_SCHEDULE says at first, then what staff made of it in the admin."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler


class Schedule(DatabaseScheduler):  # type: ignore[misc]
    """django-celery-beat's scheduler, which would put every default back at each start.

    A job that is there already keeps its times, unless the environment sets them (SCHEDULED_BY_ENVIRONMENT); only
    which code it runs follows the release.
    """

    def update_from_dict(self, mapping: dict[str, dict[str, Any]]) -> None:
        known = dict(PeriodicTask.objects.filter(name__in=mapping).values_list("name", "task"))
        for name, task in known.items():
            if task != mapping[name]["task"]:
                PeriodicTask.objects.filter(name=name).update(task=mapping[name]["task"])
        kept = known.keys() - settings.SCHEDULED_BY_ENVIRONMENT
        super().update_from_dict({name: entry for name, entry in mapping.items() if name not in kept})
