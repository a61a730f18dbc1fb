"""The event log as people read it: newest first."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Max
from django.utils import timezone

from .models import Event

if TYPE_CHECKING:
    from tenants.principal import Principal

MOST_COUNTED = 100_000
MOST_SEARCHED = 10_000


def newest(
    principal: Principal, most: int, *, before: int | None = None, kind: str = "", subject: str = ""
) -> list[Event]:
    """At most `most` events of the tenant acted in, older than the id `before`.

    `kind` is a type or the beginning of one, `subject` the beginning of a subject.
    """
    principal.require("event.read")
    rows = Event.objects.visible_to(principal).order_by("-id")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    if kind:
        rows = rows.filter(type__startswith=kind)
    if subject:
        rows = rows.filter(subject__startswith=subject)
    return list(rows[:most])


def last_hour() -> int:
    """How many events all tenants had in an hour, MOST_COUNTED for that many or more. Call within platform_scope.

    There is no index by time: the newest rows by id are looked at, which bounds the work too.
    """
    newest_id = Event.objects.aggregate(last=Max("pk"))["last"] or 0
    latest = Event.objects.filter(pk__gt=newest_id - MOST_COUNTED)
    return latest.filter(time__gte=timezone.now() - timedelta(hours=1)).count()


def newest_data(tenant_id: int, kind: str) -> dict[str, object] | None:
    """What the newest event of the type says, among the tenant's newest MOST_SEARCHED; None where there is none."""
    latest = Event.objects.filter(tenant_id=tenant_id).order_by("-id").values("pk")[:MOST_SEARCHED]
    found = (
        Event.objects.filter(pk__in=latest, type=kind).order_by("-id").values_list("data", flat=True).first()
    )
    return found if isinstance(found, dict) else None
