"""JSON in the admin, laid out for people. The theme's own way has style attributes, which the policy refuses."""

from __future__ import annotations

from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold import fields

from .templatetags.ui import pretty


def as_json(value: Any, encoder: object = None) -> SafeString:
    return format_html('<pre class="json">{}</pre>', pretty(value))


def use() -> None:
    """For every JSON field that is only shown."""
    fields.prettify_json = as_json
