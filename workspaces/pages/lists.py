"""What the lists of workspaces and services share: filters, and a page of them at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db.models import F, Q

from gateway.ui import PageRequest, at
from workspaces.models import Instance, InstanceQuerySet

PER_PAGE = 100
_PRESENT = Q(deleted_at=None)
_FAILED = Q(observed_state=Instance.Observed.FAILED)
_SETTLED = Q(generation=F("observed_generation"))
_RUNNING = Q(desired_state=Instance.Desired.RUNNING)
STATES: dict[str, tuple[str, Q]] = {
    "": ("Any", _PRESENT),
    "running": ("Running", _PRESENT & _RUNNING & _SETTLED & ~_FAILED),
    "changing": ("Starting or stopping", _PRESENT & ~_SETTLED & ~_FAILED),
    "stopped": ("Stopped or asleep", _PRESENT & ~_RUNNING & _SETTLED & ~_FAILED),
    "failed": ("Failed", _PRESENT & _FAILED),
    "deleted": ("Deleted", ~_PRESENT),
}
STATE_CHOICES = [(name, label) for name, (label, _) in STATES.items()]
I = TypeVar("I", bound=Instance)  # noqa: E741


def asked(request: PageRequest, *names: str) -> dict[str, str]:
    """The filters of the query: `q`, `state`, `after` and those of `names`."""
    return {
        name: request.GET.get(name, "").replace("\0", "")[:90] for name in ("q", "state", "after", *names)
    }


def narrow(rows: InstanceQuerySet, wanted: dict[str, str]) -> InstanceQuerySet:
    rows = rows.filter(STATES.get(wanted["state"], STATES[""])[1])
    return rows.filter(name__contains=wanted["q"]) if wanted["q"] else rows


def page_of(rows: InstanceQuerySet, wanted: dict[str, str], url: str) -> dict[str, Any]:
    """The context of one page of a list: its rows by name, and the addresses of it and of those around it."""
    # Names of deleted ones may be there several times; their ids tell them apart.
    name, _, number = wanted["after"].partition(",")
    if number.isdecimal() and len(number) < 18:
        rows = rows.filter(Q(name__gt=name) | Q(name=name, pk__gt=int(number)))
    found: Sequence[Instance] = list(rows.order_by("name", "pk")[: PER_PAGE + 1])
    filters = {name: value for name, value in wanted.items() if value and name != "after"}
    last = found[PER_PAGE - 1] if len(found) > PER_PAGE else None
    return {
        "rows": found[:PER_PAGE],
        "asked": wanted,
        "states": STATE_CHOICES,
        "narrowed": bool(filters or wanted["after"]),
        "here": at(url, **wanted),
        "first": at(url, **filters) if wanted["after"] else "",
        "next": at(url, **filters, after=f"{last.name},{last.pk}") if last else "",
    }
