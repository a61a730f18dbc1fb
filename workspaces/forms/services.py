"""Forms of services and their ports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django import forms

from gateway.form_fields import LinesField, PairsField, text_input
from gateway.forms import PageForm
from tenants.models import Quota
from workspaces.models import Port

from .groups import Group, GroupedForm
from .limits import LIMITS, LimitedForm
from .workspaces import NAME_HINT

_PROBE = "A path that answers below 400 while it is well, such as /healthz. Empty: no probe."


class _Ports(forms.CharField):
    """Ports, one a line: `name container-port [http|tcp] [public|tenant|owner]`; a list of wishes."""

    def __init__(self) -> None:
        super().__init__(
            label="Ports",
            required=False,
            max_length=5000,
            help_text=(
                "One a line: a name, the port in the container, http or tcp, and who may use it: owner, tenant or"
                " public. TCP ports are public. Each gets a port of the platform."
            ),
            widget=forms.Textarea(
                attrs={
                    "rows": 3,
                    "class": "input mono",
                    "spellcheck": "false",
                    "placeholder": "web 8080 http tenant",
                }
            ),
        )

    def clean(self, value: Any) -> list[dict[str, Any]]:
        return [
            self._wish(n, line.split())
            for n, line in enumerate(super().clean(value).splitlines(), 1)
            if line.strip()
        ]

    @staticmethod
    def _wish(number: int, words: list[str]) -> dict[str, Any]:
        if not 2 <= len(words) <= 4 or not (words[1].isascii() and words[1].isdecimal()):
            raise forms.ValidationError(f"Line {number}: write a name and a number, such as web 8080.")
        wish: dict[str, Any] = {"name": words[0], "container_port": int(words[1])}
        for word in words[2:]:
            if word in Port.Protocol.values:
                wish["protocol"] = word
            elif word in Port.Access.values:
                wish["access"] = word
            else:
                raise forms.ValidationError(
                    f"Line {number}: {word} is neither a protocol nor a rule of access."
                )
        if wish.get("protocol") == Port.Protocol.TCP:
            wish.setdefault("access", Port.Access.PUBLIC.value)
        return wish


class ServiceForm(LimitedForm):
    """A new container."""

    GROUPS: ClassVar[tuple[Group, ...]] = (
        Group("The service", ("name", "image", "description"), is_open=True),
        Group("Ports", ("ports", "probe_path"), is_open=True),
        Group("Environment and secrets", ("environment", "secrets"), "(optional)"),
        Group("Command and volumes", ("command", "volumes"), "(optional)"),
        Group("Limits", LIMITS, "(the platform's)"),
    )

    name = forms.CharField(max_length=63, help_text=NAME_HINT, widget=text_input(autofocus=True))
    image = forms.CharField(max_length=255, help_text="Such as nginx:1.29.", widget=text_input())
    description = forms.CharField(max_length=500, required=False)
    ports = _Ports()
    probe_path = forms.CharField(
        label="Probe of the first port", max_length=500, required=False, help_text=_PROBE, widget=text_input()
    )
    environment = PairsField()
    secrets = PairsField(help_text="Kept encrypted and never shown again.")
    command = LinesField(help_text="One argument a line. Empty: the image's.")
    volumes = PairsField(
        help_text="What outlives the container: a name and the path in it, such as data=/var/lib/data."
    )

    def __init__(self, *args: Any, most: Quota, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["volumes"].widget.attrs["placeholder"] = "data=/var/lib/data"
        self.tell_most(most, "Empty: the platform's default.")

    @property
    def given(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if value not in ("", None, {}, [])}


class ExternalServiceForm(GroupedForm):
    """Something that runs elsewhere."""

    GROUPS: ClassVar[tuple[Group, ...]] = (
        Group("The service", ("name", "url", "description", "probe_path"), is_open=True),
    )

    name = forms.CharField(max_length=63, help_text=NAME_HINT, widget=text_input(autofocus=True))
    url = forms.CharField(
        label="URL", max_length=500, widget=text_input(inputmode="url", placeholder="https://")
    )
    description = forms.CharField(max_length=500, required=False)
    probe_path = forms.CharField(
        label="Path of a probe", max_length=500, required=False, help_text=_PROBE, widget=text_input()
    )

    @property
    def given(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if value}

    @property
    def changes(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.changed_data if name != "name"}


class ServiceSettingsForm(LimitedForm):
    """What can be changed of a container; secrets that are not written stay as they are."""

    GROUPS: ClassVar[tuple[Group, ...]] = (
        Group("The service", ("description", "image", "command", "probe_path"), is_open=True),
        Group("Limits", LIMITS, is_open=True),
        Group("Environment and secrets", ("environment", "secrets", "forget"), is_open=True),
    )

    description = forms.CharField(max_length=500, required=False)
    image = forms.CharField(max_length=255, widget=text_input())
    command = LinesField(help_text="One argument a line. Empty: the image's.")
    probe_path = forms.CharField(
        label="Probe of the first port", max_length=500, required=False, help_text=_PROBE, widget=text_input()
    )
    environment = PairsField()
    secrets = PairsField(label="New or changed secrets", help_text="Those that are not written here stay.")
    forget = forms.MultipleChoiceField(
        label="Secrets to remove", required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, most: Quota, secret_names: Iterable[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tell_most(most)
        for name in LIMITS:
            self.fields[name].required = True
        if names := [(name, name) for name in secret_names]:
            self.fields["forget"].choices = names  # type: ignore[attr-defined]
        else:
            del self.fields["forget"]

    @property
    def changes(self) -> dict[str, Any]:
        """What was changed, as the verb takes it; a secret of None is removed."""
        changed = {
            name: self.cleaned_data[name]
            for name in self.changed_data
            if name in self.cleaned_data and name not in ("secrets", "forget")
        }
        secrets: dict[str, str | None] = dict.fromkeys(self.cleaned_data.get("forget", ()))
        secrets |= self.cleaned_data["secrets"]
        return {**changed, "secrets": secrets} if secrets else changed


class PortForm(PageForm):
    name = forms.CharField(max_length=63, help_text=NAME_HINT, widget=text_input(autofocus=True))
    container_port = forms.IntegerField(label="Port in the container", min_value=1, max_value=65_535)
    protocol = forms.ChoiceField(choices=Port.Protocol.choices, initial=Port.Protocol.HTTP)
    access = forms.ChoiceField(
        label="Who may use it",
        choices=[
            (Port.Access.TENANT, "Members of the tenant"),
            (Port.Access.OWNER, "Its owner"),
            (Port.Access.PUBLIC, "Everybody, without signing in"),
        ],
        initial=Port.Access.TENANT,
        help_text="A TCP port is always for everybody: nothing in it says who connects.",
    )
    public_port = forms.IntegerField(
        label="Port of the platform",
        required=False,
        min_value=1,
        max_value=65_535,
        help_text="Empty: one is found.",
    )
