"""The page of the event log."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from gateway.ui import PageRequest, at, page, row_number, sheet, show

from . import cloudevents
from .filters import CHANNELS
from .models import Event
from .newest import newest

PER_PAGE = 50


@page("event.read")
def events(request: PageRequest) -> HttpResponse:
    """What happened in the tenant, newest first; the first page without filters goes on live."""
    asked = {name: request.GET.get(name, "").replace("\0", "")[:200] for name in ("kind", "subject")}
    before = request.GET.get("before", "")
    rows = newest(request.principal, PER_PAGE + 1, before=row_number(before), **asked)
    url = reverse("events")
    context = {
        "events": rows[:PER_PAGE],
        "newest": at(url, **asked) if before else "",
        "older": at(url, **asked, before=str(rows[PER_PAGE - 1].pk)) if len(rows) > PER_PAGE else "",
        "before": before,
        "narrowed": any(asked.values()),
        "channels": CHANNELS,
        **asked,
    }
    return show(request, "realtime/events.html", context, part="realtime/_events.html")


@page("event.read")
def event(request: PageRequest, number: int) -> HttpResponse:
    found = get_object_or_404(Event.objects.visible_to(request.principal), pk=number)
    return sheet(request, "realtime/_event.html", {"event": found, "envelope": cloudevents.of(found)})
