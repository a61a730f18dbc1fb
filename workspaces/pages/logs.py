"""What instances write, and what they use."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone

from gateway import charts
from gateway.errors import DomainError
from gateway.templatetags.ui import cores, size
from gateway.ui import PageRequest, page
from workspaces.models import Instance, Service
from workspaces.services import logs, samples

from . import shown
from .shown import show_tab

SPANS = {"1h": "Hour", "24h": "Day", "7d": "Week"}
# Colours and cursor movements, which nothing here follows.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


@page("workspace.read")
def workspace_logs(request: PageRequest, public_id: UUID) -> HttpResponse:
    return _logs(request, shown.workspace(request, public_id))


@page("service.read")
def service_logs(request: PageRequest, public_id: UUID) -> HttpResponse:
    return _logs(request, shown.service(request, public_id))


def _logs(request: PageRequest, row: Instance) -> HttpResponse:
    """The last lines; a script follows them from there."""
    context: dict[str, Any] = {"stream_url": api_url(row, "logs/events")}
    try:
        context["text"] = _ESCAPES.sub("", "\n".join(logs.tail(row)))
    except DomainError as error:
        context["unavailable"] = error.detail
    return show_tab(request, row, "logs", "workspaces/logs.html", context)


@page("workspace.read")
def workspace_usage(request: PageRequest, public_id: UUID) -> HttpResponse:
    return _usage(request, shown.workspace(request, public_id))


@page("service.read")
def service_usage(request: PageRequest, public_id: UUID) -> HttpResponse:
    return _usage(request, shown.service(request, public_id))


def _usage(request: PageRequest, row: Instance) -> HttpResponse:
    """Charts of processor and memory."""
    asked = request.GET.get("span", "")
    span = asked if asked in SPANS else "1h"
    end = timezone.now()
    begin = end - samples.SPANS[span]
    found = samples.history(row.key, samples.SPANS[span])
    drawn = [
        charts.draw(
            "cpu", "Processor", [(one.at, one.cpu_millis) for one in found], limit=row.cpu_millis,
            words=lambda millis: cores(round(millis)), begin=begin, end=end,
        ),
        charts.draw(
            "memory", "Memory", [(one.at, one.memory_bytes) for one in found], limit=row.memory_bytes,
            words=lambda amount: size(round(amount)), binary=True, begin=begin, end=end,
        ),
    ]  # fmt: skip
    context = {"charts": [chart for chart in drawn if chart], "span": span, "spans": list(SPANS.items())}
    return show_tab(request, row, "usage", "workspaces/usage.html", context, part="workspaces/_usage.html")


def api_url(row: Instance, rest: str) -> str:
    """The address of one of its streams in the API."""
    kind = "services" if isinstance(row, Service) else "workspaces"
    return f"/api/v1/{kind}/{row.public_id}/{rest}"
