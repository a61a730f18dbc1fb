"""What all pages of one bucket share: its head with tabs, addresses within it, and how keys are read from requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gateway.ui import PageRequest, at, is_part, show
from storage.models import Bucket
from storage.services import buckets, decisions

MOST_KEY = 1024
_TABS = (
    ("objects", "Objects", "bucket", "storage.object.read"),
    ("settings", "Settings", "bucket-settings", "storage.bucket.read"),
    ("policy", "Policy", "bucket-policy", "storage.bucket.read"),
    ("usage", "Usage", "bucket-usage", "storage.bucket.read"),
)


def bucket(request: PageRequest, name: str) -> Bucket:
    """One of the tenant's; another is 404."""
    return buckets.get_bucket(name, actor=request.principal)


def show_tab(
    request: PageRequest,
    row: Bucket,
    tab: str,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    part: str | None = None,
    status: int = 200,
    done: str = "",
) -> HttpResponse:
    """A page of the bucket, with its head; as `gateway.ui.show`."""
    can = request.principal.can
    values = {
        "bucket": row,
        "tab": tab,
        "tabs": [
            (name, label, reverse(view, args=[row.name])) for name, label, view, needs in _TABS if can(needs)
        ],
        "is_public": decisions.is_public(row),
        "may_write": can("storage.bucket.write"),
        **(context or {}),
    }
    return show(request, template, values, part=part, status=status, done=done)


def led_to(request: PageRequest, url: str, done: str) -> HttpResponse:
    """To another page, with a message there."""
    messages.success(request, done)
    if is_part(request):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def text(request: PageRequest, name: str) -> str:
    """A key or its beginning, as the query names it."""
    return request.GET.get(name, "").replace("\0", "")[:MOST_KEY]


def place(row: Bucket, prefix: str = "", after: str = "", versions: str = "", version: str = "") -> str:
    """A level of the bucket, from behind `after` (and its `version`) on."""
    url = reverse("bucket", args=[row.name])
    return at(url, prefix=prefix, after=after, at=version, versions=versions)


def object_url(row: Bucket, key: str, version: str = "", view: str = "object") -> str:
    """The page of an object, or of one of its versions."""
    return at(reverse(view, args=[row.name]), key=key, version=version)


def crumbs(row: Bucket, prefix: str, versions: str = "") -> list[tuple[str, str]]:
    """(name, URL) of each level from the bucket down to the prefix."""
    found, below = [(row.name, place(row, versions=versions))], ""
    levels = prefix.split("/")
    for level in levels[:-1]:
        below += level + "/"
        found.append((level or "(empty)", place(row, below, versions=versions)))
    if levels[-1]:
        found.append((f"{levels[-1]}…", place(row, prefix, versions=versions)))
    return found
