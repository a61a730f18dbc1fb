"""The page of the event log."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpResponse

from gateway.ui import PageRequest, page, show

from .newest import newest
from .services import CHANNELS

PER_PAGE = 50


@page("event.read")
def events(request: PageRequest) -> HttpResponse:
    """What happened in the tenant, newest first; the first page without filters goes on live."""
    asked = {name: request.GET.get(name, "").replace("\0", "")[:200] for name in ("kind", "subject")}
    before = request.GET.get("before", "")
    rows = newest(
        request.principal, PER_PAGE + 1, before=int(before) if before.isdecimal() else None, **asked
    )
    context = {
        "events": rows[:PER_PAGE],
        "older": rows[PER_PAGE - 1].pk if len(rows) > PER_PAGE else None,
        "before": before,
        "query": urlencode({name: value for name, value in asked.items() if value}),
        "channels": CHANNELS,
        **asked,
    }
    return show(request, "realtime/events.html", context, part="realtime/_events.html")
