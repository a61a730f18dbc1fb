"""What a bucket holds, as charts."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpResponse
from django.utils import timezone

from gateway import charts
from gateway.templatetags.ui import size
from gateway.ui import PageRequest, page
from storage.services import bucket_usage

from . import shown

SPANS = {"7": "Week", "30": "Month", "365": "Year"}


@page("storage.bucket.read")
def usage(request: PageRequest, name: str) -> HttpResponse:
    row = shown.bucket(request, name)
    asked = request.GET.get("span", "")
    span = asked if asked in SPANS else "30"
    end = timezone.now()
    held = bucket_usage.of(row)
    found = list(bucket_usage.history(row, timedelta(days=int(span))))
    # A young bucket's chart begins with it: in a month's width its hours could not be seen.
    begin = min(found[0].at, end - timedelta(minutes=1)) if found else end - timedelta(days=int(span))
    drawn = [
        charts.draw(
            "bytes", "Size", [*((one.at, one.bytes) for one in found), (end, held.bytes + held.upload_bytes)],
            limit=row.quota_bytes,
            words=lambda amount: size(round(amount)), binary=True, begin=begin, end=end,
        ),
        charts.draw(
            "objects", "Objects", [*((one.at, one.objects_count) for one in found), (end, held.objects_count)],
            limit=row.quota_objects, words=lambda amount: f"{amount:,.0f}", begin=begin, end=end,
        ),
    ]  # fmt: skip
    context = {
        "held": held,
        "charts": [chart for chart in drawn if chart] if found else [],
        "span": span,
        "spans": list(SPANS.items()),
    }
    return shown.show_tab(request, row, "usage", "storage/usage.html", context)
