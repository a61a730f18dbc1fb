"""Forms of the pages: what a verb refuses stands at the field that it is about."""

from __future__ import annotations

from typing import Any

from django import forms

from gateway.errors import DomainError

_PLAIN = (forms.CheckboxInput, forms.CheckboxSelectMultiple, forms.RadioSelect, forms.HiddenInput)


class PageForm(forms.Form):
    """`refuse` puts a verb's error where the person can mend it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if not isinstance(field.widget, _PLAIN):
                field.widget.attrs.setdefault("class", "input")

    def refuse(self, error: DomainError) -> None:
        named = {name: texts for name, texts in error.errors.items() if name in self.fields}
        if not named:
            self.add_error(None, error.detail)
        for name, texts in named.items():
            for text in texts:
                self.add_error(name, text)
