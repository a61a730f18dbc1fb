"""Fields of the forms of workspaces, services and templates: what people write, as the verbs take it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django import forms

MIB = 1 << 20
_PLAIN = {"spellcheck": "false", "autocomplete": "off", "autocapitalize": "off"}


def text_input(**attributes: Any) -> forms.TextInput:
    """For what is no prose."""
    return forms.TextInput(attrs={**_PLAIN, **attributes})


class _Changed:
    """Compares what a field gives, not what stands in it."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            found = self.clean(data)  # type: ignore[attr-defined]
        except forms.ValidationError:
            return True
        return bool(found != initial) and bool(found or initial)


class PairsField(_Changed, forms.CharField):
    """`NAME=value`, one a line; a dict of texts."""

    def __init__(self, **kwargs: Any) -> None:
        rows = kwargs.pop("rows", 3)
        widget = forms.Textarea(
            attrs={**_PLAIN, "rows": rows, "class": "input mono", "placeholder": "NAME=value"}
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


class NumbersField(PairsField):
    """`name=port`, one a line; a dict of numbers."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widget.attrs["placeholder"] = "web=3000"

    def clean(self, value: Any) -> dict[str, int]:  # type: ignore[override]
        pairs = super().clean(value)
        wrong = [
            name for name, text in pairs.items() if not text.strip().isascii() or not text.strip().isdecimal()
        ]
        if wrong:
            raise forms.ValidationError(f"{wrong[0]} is no port: write a number of 1 to 65535 after the =.")
        return {name: int(text) for name, text in pairs.items()}


class MemoryField(_Changed, forms.IntegerField):
    """MiB for people, bytes for the verbs."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"label": "Memory in MiB", "min_value": 1, "max_value": 1 << 40, **kwargs})

    def prepare_value(self, value: Any) -> Any:
        return value // MIB if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:
        mebibytes = super().clean(value)
        return None if mebibytes is None else mebibytes * MIB


class CoresField(_Changed, forms.DecimalField):
    """Processor cores for people, thousandths for the verbs."""

    def __init__(self, **kwargs: Any) -> None:
        bounds = {"min_value": 0, "max_value": 1_000_000, "decimal_places": 3, "step_size": None}
        super().__init__(**{"label": "Processor cores", **bounds, **kwargs})
        self.widget.attrs["step"] = "any"

    def prepare_value(self, value: Any) -> Any:
        return f"{value / 1000:g}" if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:
        cores = super().clean(value)
        return None if cores is None else int(cores * 1000)


class WordsField(_Changed, forms.CharField):
    """Words parted by spaces, commas or lines; a list of them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "max_length": 10_000, "widget": text_input(), **kwargs})

    def prepare_value(self, value: Any) -> Any:
        return " ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        return str(super().clean(value)).replace(",", " ").split()


class ArgumentsField(_Changed, forms.CharField):
    """One argument a line; a list of them."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.Textarea(attrs={**_PLAIN, "rows": 2, "class": "input mono"})
        super().__init__(
            **{"required": False, "strip": False, "max_length": 20_000, "widget": widget, **kwargs}
        )

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        return [line for line in str(super().clean(value)).splitlines() if line]


class ObjectField(_Changed, forms.CharField):
    """A JSON object as text."""

    def __init__(self, **kwargs: Any) -> None:
        attributes = {**_PLAIN, "rows": 3, "class": "input mono", "placeholder": '{"team": "payments"}'}
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
