"""Words of the templates of buckets."""

from __future__ import annotations

from typing import Any

from django import forms, template

from gateway.templatetags.ui import field

register = template.Library()

_MANY = (forms.CheckboxSelectMultiple, forms.RadioSelect)


# Joiners (U+200C, U+200D) stay: scripts and emoji are written with them.
_FORMATS = (
    *range(0x80, 0xA0), 0xAD, 0x61C, 0x200B, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF,
)  # fmt: skip
_INVISIBLE = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "\u2421",
    **{code: f"\u27e8{code:04X}\u27e9" for code in _FORMATS},
}


@register.filter
def legible(key: str) -> str:
    """A key with what cannot be seen, or turns the text around, made visible: control and format characters, and
    spaces at its ends."""
    inner = key.strip(" ")
    begin = len(key) - len(key.lstrip(" "))
    return ("\u2420" * begin + inner + "\u2420" * (len(key) - begin - len(inner))).translate(_INVISIBLE)


@register.inclusion_tag("storage/_control.html")
def control(bound: Any) -> dict[str, Any]:
    """A form's field of any kind: a box to tick, several to choose from, or a text."""
    widget = bound.field.widget
    kind = (
        "box" if isinstance(widget, forms.CheckboxInput) else "many" if isinstance(widget, _MANY) else "text"
    )
    return {**field(bound), "kind": kind}
