"""Fields of the forms of workspaces, services and templates: what people write, as the verbs take it."""

from __future__ import annotations

from typing import Any

from django import forms

from gateway.form_fields import Changed, PairsField

MIB = 1 << 20


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


class MemoryField(Changed, forms.IntegerField):
    """MiB for people, bytes for the verbs."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"label": "Memory in MiB", "min_value": 1, "max_value": 1 << 40, **kwargs})

    def prepare_value(self, value: Any) -> Any:
        return value // MIB if isinstance(value, int) else value

    def clean(self, value: Any) -> int | None:
        mebibytes = super().clean(value)
        return None if mebibytes is None else mebibytes * MIB


class CoresField(Changed, forms.DecimalField):
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
