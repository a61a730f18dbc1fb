"""The form of a template."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms

from gateway.form_fields import PairsField, WordsField, text_input
from tenants.models import Quota

from .fields import NumbersField
from .groups import Group
from .limits import LIMITS, LimitedForm


class TemplateForm(LimitedForm):
    """`providers` are (name, label) of those that there are."""

    GROUPS: ClassVar[tuple[Group, ...]] = (
        Group("The template", ("name", "description", "is_default"), is_open=True),
        Group("What runs", ("provider", "image", "run_command"), is_open=True),
        Group("Limits", (*LIMITS, "idle_minutes"), is_open=True),
        Group("Environment, secrets, ports", ("environment", "required_secrets", "ports"), is_open=True),
    )

    name = forms.CharField(max_length=63, widget=text_input(autofocus=True))
    description = forms.CharField(max_length=500, required=False)
    is_default = forms.BooleanField(
        label="The default one", required=False, help_text="For workspaces that name no template."
    )
    provider = forms.ChoiceField(label="Runs by", required=False)
    image = forms.CharField(
        max_length=255, required=False, help_text="Empty: the platform's. Docker only.", widget=text_input()
    )
    run_command = forms.BooleanField(
        label="Tools may run any command",
        required=False,
        help_text="Whoever may use such a workspace may then run programs in it.",
    )
    idle_minutes = forms.IntegerField(
        label="Stopped when idle for minutes",
        initial=60,
        min_value=0,
        max_value=525_600,
        help_text="0: never.",
    )
    environment = PairsField()
    required_secrets = WordsField(
        label="Secrets that a workspace must be given", help_text="Names, parted by spaces."
    )
    ports = NumbersField(label="Declared ports")

    def __init__(self, *args: Any, providers: list[tuple[str, str]], most: Quota, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "Docker where it is there, else sandboxed processes"), *providers]
        self.fields["provider"].choices = choices  # type: ignore[attr-defined]
        self.tell_most(most)
        for name, initial in zip(LIMITS, (1 << 30, 1000, 256), strict=True):
            self.fields[name].required = True
            self.fields[name].initial = initial

    @property
    def changes(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.changed_data}
