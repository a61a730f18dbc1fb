"""Words of the templates of buckets."""

from __future__ import annotations

from typing import Any

from django import forms, template

from gateway.templatetags.ui import field

register = template.Library()

_MANY = (forms.CheckboxSelectMultiple, forms.RadioSelect)


@register.inclusion_tag("storage/_control.html")
def control(bound: Any) -> dict[str, Any]:
    """A form's field of any kind: a box to tick, several to choose from, or a text."""
    widget = bound.field.widget
    kind = (
        "box" if isinstance(widget, forms.CheckboxInput) else "many" if isinstance(widget, _MANY) else "text"
    )
    return {**field(bound), "kind": kind}
