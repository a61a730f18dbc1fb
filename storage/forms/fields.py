"""Fields that forms of several settings of a bucket have."""

from __future__ import annotations

from django import forms

from gateway.form_fields import text_input


class PrefixField(forms.CharField):
    """The beginning of the keys that something is about; empty for all of the bucket. `example` is shown in it."""

    def __init__(self, example: str) -> None:
        super().__init__(
            label="Keys that begin with",
            required=False,
            max_length=1024,
            strip=False,
            help_text="Empty: all of the bucket.",
            widget=text_input(placeholder=example),
        )
