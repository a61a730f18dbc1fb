"""The page of the event log."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import get_object_or_404

from gateway.ui import PageRequest, page, row_number, sheet, show

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
    context = {
        "events": rows[:PER_PAGE],
        "older": rows[PER_PAGE - 1].pk if len(rows) > PER_PAGE else None,
        "before": before,
        "query": urlencode({name: value for name, value in asked.items() if value}),
        "channels": CHANNELS,
        **asked,
    }
    return show(request, "realtime/events.html", context, part="realtime/_events.html")


@page("event.read")
def event(request: PageRequest, number: int) -> HttpResponse:
    found = get_object_or_404(Event.objects.visible_to(request.principal), pk=number)
    return sheet(request, "realtime/_event.html", {"event": found, "envelope": cloudevents.of(found)})
