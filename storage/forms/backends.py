"""Forms of backends: how somebody's S3 is reached. What is left open is as its vendor is known to need it."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from gateway.form_fields import PLAIN, text_input
from gateway.forms import PageForm
from storage.models import Backend
from storage.providers import quirks
from storage.services.backend_providers import CONNECTION_FIELDS
from tenants.principal import Principal

_STYLES: Final = {"path": "Path style: endpoint/bucket", "host": "Virtual host style: bucket.endpoint"}
_MODES: Final = {
    Backend.ChecksumMode.WHEN_REQUIRED.value: "Only where S3 demands one",
    Backend.ChecksumMode.WHEN_SUPPORTED.value: "Always, as newer SDKs do",
}
_OPEN: Final = ("", "As the vendor needs it")


class _BackendForm(PageForm):
    name = forms.CharField(
        max_length=63,
        help_text="Lower-case letters, digits and hyphens: by it buckets are placed there.",
        widget=text_input(autofocus=True),
    )
    endpoint = forms.CharField(
        required=False,
        max_length=300,
        help_text="https://host[:port]. Empty: Amazon S3 in the region below.",
        widget=text_input(placeholder="https://s3.example.org", inputmode="url"),
    )
    region = forms.CharField(
        required=False, max_length=64, help_text="As the vendor calls it.", widget=text_input()
    )
    access_key = forms.CharField(label="Access key ID", required=False, max_length=200, widget=text_input())
    secret_key = forms.CharField(
        label="Secret access key",
        required=False,
        strip=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    vendor = forms.ChoiceField(
        required=False,
        choices=[("", "The test finds out"), *((one.name, one.title) for one in quirks.VENDORS.values())],
        help_text="What the vendor is known to lack is not used.",
    )
    style = forms.ChoiceField(label="Addresses", required=False, choices=[_OPEN, *_STYLES.items()])
    checksum_mode = forms.ChoiceField(
        label="Checksums are sent along", required=False, choices=[_OPEN, *_MODES.items()]
    )
    ca_bundle = forms.CharField(
        label="Certificates to trust instead of the system's",
        required=False,
        max_length=262_144,
        strip=False,
        help_text="PEM. For a server whose certificate a CA of your own has signed.",
        widget=forms.Textarea(attrs={**PLAIN, "rows": 3, "class": "input mono"}),
    )
    is_default = forms.BooleanField(label="Takes new buckets that name no backend", required=False)

    @property
    def connection(self) -> dict[str, Any]:
        """The fields of the connection that were given, by the names of the verbs."""
        values = self.cleaned_data
        found = {name: values[name] for name in CONNECTION_FIELDS if name in values}
        if not found["checksum_mode"]:
            del found["checksum_mode"]
        if values["style"]:
            found["path_style"] = values["style"] == "path"
        return found


class NewBackendForm(_BackendForm):
    shared = forms.BooleanField(
        label="All tenants may use it", required=False, help_text="Its buckets stay each tenant's own."
    )

    def __init__(self, data: Any = None, *, actor: Principal) -> None:
        super().__init__(data)
        if not actor.can("platform.backends"):
            del self.fields["shared"]

    @property
    def values(self) -> dict[str, Any]:
        values = self.cleaned_data
        return {
            "name": values["name"],
            "secret_key": values["secret_key"],
            "is_default": values["is_default"],
            "shared": values.get("shared", False),
            **self.connection,
        }


class ChangeBackendForm(_BackendForm):
    """The key is not shown; what is left empty of it stays."""

    def __init__(self, data: Any = None, *, backend: Backend, may_write: bool) -> None:
        names = ("name", "endpoint", "region", "vendor", "checksum_mode", "ca_bundle", "is_default")
        initial = {name: getattr(backend, name) for name in names}
        initial["style"] = "path" if backend.path_style else "host"
        super().__init__(data, initial=initial)
        for name in ("access_key", "secret_key"):
            self.fields[name].help_text = "Left empty, it stays as it is."
            if not may_write:
                del self.fields[name]
        self.fields["style"].choices = list(_STYLES.items())  # type: ignore[attr-defined]
        self.fields["checksum_mode"].choices = list(_MODES.items())  # type: ignore[attr-defined]
        del self.fields["name"].widget.attrs["autofocus"]
        if backend.kind == "local":
            for name in set(self.base_fields) - {"name", "region", "is_default"}:
                self.fields.pop(name, None)
            self.fields["region"].help_text = "Where this machine stands: tenants' allowed regions bind it."
        self.is_local = backend.kind == "local"

    @property
    def changes(self) -> dict[str, Any]:
        values = self.cleaned_data
        found: dict[str, Any] = {name: values[name] for name in ("name", "region", "is_default")}
        if self.is_local:
            return found
        found |= self.connection | {"secret_key": values["secret_key"] or None}
        if not values["access_key"]:
            del found["access_key"]
        return found
