"""The admin of the packages that we stand on, in the same look: schedules. And of the platform's own components."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django_celery_beat import admin as beat
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from gateway.admin_verbs import ReadOnlyAdmin
from gateway.models import ComponentState

for _model in (
    Group,  # rights come from roles in tenants
    PeriodicTask,
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    SolarSchedule,
):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


class _TaskSelect(UnfoldAdminSelectWidget, beat.TaskSelectWidget):
    pass


class _PeriodicTaskForm(beat.PeriodicTaskForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = _TaskSelect()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(beat.PeriodicTaskAdmin, ModelAdmin):
    form = _PeriodicTaskForm
    list_fullwidth = True
    date_hierarchy = None
    autocomplete_fields = ("interval", "crontab", "solar", "clocked")


class _ScheduleAdmin(ModelAdmin):
    list_fullwidth = True


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(_ScheduleAdmin):
    list_display = ("__str__", "every", "period")
    list_filter = ("period",)
    search_fields = ("every", "period")


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(_ScheduleAdmin):
    list_display = ("__str__", "human_readable", "timezone")
    readonly_fields = ("human_readable",)
    search_fields = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


@admin.register(ClockedSchedule)
class ClockedScheduleAdmin(_ScheduleAdmin):
    list_display = ("clocked_time",)
    search_fields = ("clocked_time",)


@admin.register(SolarSchedule)
class SolarScheduleAdmin(_ScheduleAdmin):
    list_display = ("event", "latitude", "longitude")
    list_filter = ("event",)
    search_fields = ("event",)


@admin.register(ComponentState)
class ComponentStateAdmin(ReadOnlyAdmin):
    list_display = ("name", "status", "since")
    list_filter = ("status",)
    search_fields = ("name",)
