"""The event log as people read it: newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .models import Event

if TYPE_CHECKING:
    from tenants.principal import Principal


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
