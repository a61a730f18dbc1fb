"""Words of the templates."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.timezone import localtime, now

from tenants.principal import Principal

register = template.Library()

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


@register.simple_tag
def icon(name: str) -> SafeString:
    """A picture of the sprite beside a text; screen readers pass it over."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static("img/icons.svg"), name
    )


@register.simple_tag
def sprite() -> str:
    return static("img/icons.svg")


@register.filter
def can(principal: Principal, permission: str) -> bool:
    return principal.can(permission)


@register.filter
def size(value: int | None) -> str:
    """Bytes in powers of 1,024."""
    if value is None:
        return ""
    if abs(value) < 1024:
        return "1 byte" if value == 1 else f"{value} bytes"
    amount = float(value)
    for unit in _UNITS:
        amount /= 1024
        if abs(amount) < 1024 or unit == _UNITS[-1]:
            return f"{amount:.1f} {unit}"
    raise AssertionError


@register.filter
def count(value: int) -> str:
    return f"{value:,}"


@register.filter
def cores(millis: int | None) -> str:
    """Thousandths of a processor core."""
    if millis is None:
        return ""
    amount = f"{millis / 1000:.3f}".rstrip("0").rstrip(".")
    return "1 core" if amount == "1" else f"{amount} cores"


@register.filter
def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.filter
def exactly(value: datetime | None) -> str:
    return localtime(value).strftime("%Y-%m-%d %H:%M:%S UTC") if value else ""


@register.filter
def ago(value: datetime | None) -> SafeString | str:
    """How long ago, kept true by times.js; the exact time is the title."""
    if value is None:
        return ""
    distance = timesince(value, now(), depth=1) if value <= now() else ""
    text = f"{distance} ago" if distance and not distance.startswith("0") else "now"
    if value > now():
        text = f"in {timesince(now(), value, depth=1)}"
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>', value.isoformat(), exactly(value), text
    )


@register.filter
def share(used: int, limit: int | None) -> int:
    """Percent of a limit, at most 100."""
    return min(100, round(100 * used / limit)) if limit else 0


@register.filter
def tightness(percent: int) -> str:
    """The class of a bar: how close to the limit."""
    return "full" if percent >= 95 else "tight" if percent >= 80 else ""


@register.filter
def event_icon(kind: str) -> str:
    icons = {
        "storage": "bucket",
        "tenants": "users",
        "system": "settings",
        "gateway": "link",
        "workspaces": "screen",
    }
    return icons.get(kind.partition(".")[0], "pulse")


@register.inclusion_tag("gateway/_field.html")
def field(bound: Any) -> dict[str, Any]:
    """A form's field with its label, hint and errors, tied together for screen readers."""
    return {"field": bound}


@register.inclusion_tag("gateway/_find.html")
def find(label: str, value: str, *, hint: str = "") -> dict[str, Any]:
    """The field `q` of a list's filters."""
    return {"label": label, "value": value, "hint": hint}


@register.inclusion_tag("gateway/_pager.html")
def pager(
    back: str, onward: str, *, backwards: str = "First page", forwards: str = "Next page"
) -> dict[str, Any]:
    """The way to the begin of a list and on in it, by addresses of which empty ones lead nowhere."""
    return {"back": back, "onward": onward, "backwards": backwards, "forwards": forwards}


@register.inclusion_tag("gateway/_opens.html")
def opens(name: str, label: str, *, picture: str = "plus", look: str = "primary") -> dict[str, Any]:
    """A button that opens the page of that name in the dialog."""
    return {"url": reverse(name), "label": label, "picture": picture, "look": look}


@register.inclusion_tag("gateway/_act.html")
def act(
    url: str,
    target: str,
    do: str,
    label: str = "",
    *,
    picture: str,
    look: str = "",
    says: str = "",
    question: str = "",
    sure: str = "",
    version: str = "",
) -> dict[str, Any]:
    """A form of one button that POSTs `do` (and a `version`) and puts the answer into `target`.

    With a `question` it asks first, and `sure` is the answer to it. `says` is for screen readers, `look` are classes.
    """
    return {
        "url": url, "target": target, "do": do, "label": label, "picture": picture, "look": look, "says": says,
        "question": question, "sure": sure, "version": version,
    }  # fmt: skip
