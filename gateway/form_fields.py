"""Fields of forms for what people write as text: pairs, words, lines, JSON, sizes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from django import forms

PLAIN: Final = {"spellcheck": "false", "autocomplete": "off", "autocapitalize": "off"}


def text_input(**attributes: Any) -> forms.TextInput:
    """For what is no prose."""
    return forms.TextInput(attrs={**PLAIN, **attributes})


class Changed:
    """Compares what a field gives, not what stands in it."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            found = self.clean(data)  # type: ignore[attr-defined]
        except forms.ValidationError:
            return True
        return bool(found != initial) and bool(found or initial)


class PairsField(Changed, forms.CharField):
    """`NAME=value`, one a line; a dict of texts."""

    def __init__(self, **kwargs: Any) -> None:
        rows = kwargs.pop("rows", 3)
        widget = forms.Textarea(
            attrs={**PLAIN, "rows": rows, "class": "input mono", "placeholder": "NAME=value"}
        )
        super().__init__(
            **{"required": False, "strip": False, "max_length": 200_000, "widget": widget, **kwargs}
        )

    def prepare_value(self, value: Any) -> Any:
        return (
            "\n".join(f"{name}={text}" for name, text in value.items())
            if isinstance(value, Mapping)
            else value
        )

    def clean(self, value: Any) -> dict[str, str]:
        pairs: dict[str, str] = {}
        for number, line in enumerate(str(super().clean(value)).splitlines(), 1):
            if not line.strip():
                continue
            name, equals, text = line.partition("=")
            if not equals or not name.strip():
                raise forms.ValidationError(f"Line {number} is not NAME=value.")
            if name.strip() in pairs:
                raise forms.ValidationError(f"{name.strip()} is there twice.")
            pairs[name.strip()] = text
        return pairs


class WordsField(Changed, forms.CharField):
    """Words parted by spaces, commas or lines; a list of them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "max_length": 10_000, "widget": text_input(), **kwargs})

    def prepare_value(self, value: Any) -> Any:
        return " ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        return str(super().clean(value)).replace(",", " ").split()


class LinesField(Changed, forms.CharField):
    """One text a line; a list of them."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.Textarea(attrs={**PLAIN, "rows": 2, "class": "input mono"})
        super().__init__(
            **{"required": False, "strip": False, "max_length": 20_000, "widget": widget, **kwargs}
        )

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        return [line for line in str(super().clean(value)).splitlines() if line]


class ObjectField(Changed, forms.CharField):
    """A JSON object as text."""

    def __init__(self, **kwargs: Any) -> None:
        attributes = {**PLAIN, "rows": 3, "class": "input mono", "placeholder": '{"team": "payments"}'}
        widget = forms.Textarea(attrs=attributes)
        super().__init__(**{"required": False, "max_length": 50_000, "widget": widget, **kwargs})

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False) if value else ""

    def clean(self, value: Any) -> dict[str, Any]:
        text = super().clean(value)
        try:
            found = json.loads(text) if text else {}
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise forms.ValidationError("This is no JSON object.")
        return found


_SIZE: Final = re.compile(r"(\d{1,15}(?:[.,]\d{1,3})?)\s*(?:([KMGTP]?)(i?)B?|bytes?)", re.IGNORECASE)


class SizeField(Changed, forms.CharField):
    """Bytes as people write them: `500 MB`, `10 GiB`, `1048576`; an int, None where it is empty."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{"required": False, "max_length": 40, "widget": text_input(placeholder="10 GiB"), **kwargs}
        )

    def prepare_value(self, value: Any) -> Any:
        """The largest unit that says it exactly."""
        if not isinstance(value, int):
            return value
        for power, unit in ((50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
            if value and not value % (1 << power):
                return f"{value >> power} {unit}"
        return f"{value} bytes"

    def clean(self, value: Any) -> int | None:
        text = str(super().clean(value)).strip()
        if not text:
            return None
        found = _SIZE.fullmatch(text)
        if not found:
            raise forms.ValidationError("Write a size such as 500 MB, 10 GiB or 1048576.")
        power = " KMGTP".index((found[2] or " ").upper())
        unit = 1024 if found[3] or not found[2] else 1000
        size = (
            int(float(found[1].replace(",", ".")) * unit**power)
            if power
            else int(float(found[1].replace(",", ".")))
        )
        if size >= 1 << 63:
            raise forms.ValidationError("That is more than can be counted.")
        return size
