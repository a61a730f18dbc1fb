"""What the storage pages of the admin share."""

from __future__ import annotations

from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from gateway.templatetags.ui import pretty

OF_TENANT = ("tenant", AutocompleteSelectFilter)
STATE = {
    "works": "success",
    "ready": "success",
    "failing": "danger",
    "pending": "warning",
    "revoked": "danger",
    "expired": "danger",
}


def as_json(value: Any) -> SafeString:
    """JSON for people, without the style attributes of the theme's own, which the policy refuses."""
    return format_html("<pre>{}</pre>", pretty(value))
