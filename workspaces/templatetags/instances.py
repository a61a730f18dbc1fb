"""Words of the templates of workspaces and services."""

from __future__ import annotations

from typing import Any, NamedTuple

from django import template

register = template.Library()


class Badge(NamedTuple):
    label: str
    level: str
    hint: str = ""


_BADGES = {
    "running": Badge("Running", "good"),
    "starting": Badge("Starting", "warn"),
    "stopping": Badge("Stopping", "warn"),
    "deleting": Badge("Deleting", "warn"),
    "stopped": Badge("Stopped", ""),
    "asleep": Badge("Asleep", "accent", "Stopped for idleness; the next call wakes it."),
    "failed": Badge("Failed", "bad"),
    "deleted": Badge("Deleted", ""),
    "absent": Badge("Not made yet", "warn"),
    "external": Badge("Elsewhere", "accent", "Runs elsewhere; only its address is kept here."),
    "healthy": Badge("Healthy", "good"),
    "unhealthy": Badge("Unhealthy", "bad"),
    "unknown": Badge("Not probed", ""),
    "none": Badge("No repository", ""),
    "cloning": Badge("Cloning", "warn"),
    "ready": Badge("Ready", "good"),
    "pending": Badge("Being made", "warn"),
}


@register.inclusion_tag("workspaces/_badge.html")
def badge(state: str, title: str = "") -> dict[str, Any]:
    """A state as people read it; `title` says more when pointed at."""
    known = _BADGES.get(state, Badge(state.capitalize(), ""))
    return {"label": known.label, "level": known.level, "title": title or known.hint}


@register.filter
def without_scheme(url: str) -> str:
    """A URL as people read it."""
    return url.partition("://")[2] or url


@register.filter
def happened(kind: str) -> str:
    """An event's type as words on the page of what it is about: its own noun is left out."""
    noun, _, participle = kind.partition(".")[2].partition(".")
    return (participle if noun in ("workspace", "service") else f"{noun} {participle}").capitalize()
