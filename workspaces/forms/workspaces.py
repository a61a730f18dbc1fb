"""Forms of workspaces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django import forms

from gateway.form_fields import ObjectField, PairsField, text_input
from gateway.forms import PageForm
from tenants.models import Quota
from workspaces.models import Template

from .fields import NumbersField
from .groups import Group
from .limits import LIMITS, LimitedForm

GIT_SECRETS = {"git_username": "GIT_USERNAME", "git_password": "GIT_PASSWORD"}
NAME_HINT = "1 to 63 lower-case letters, digits and hyphens."


class WorkspaceForm(LimitedForm):
    """A new workspace."""

    GROUPS: ClassVar[tuple[Group, ...]] = (
        Group("The workspace", ("name", "template", "description"), is_open=True),
        Group("Repository", ("git_url", "git_branch", "git_username", "git_password"), is_open=True),
        Group("Environment and secrets", ("environment", "secrets"), "(optional)"),
        Group("Limits", (*LIMITS, "idle_minutes"), "(the template's)"),
        Group("Ports and metadata", ("ports", "metadata"), "(optional)"),
    )

    name = forms.CharField(
        max_length=63, help_text=f"{NAME_HINT} Part of its address.", widget=text_input(autofocus=True)
    )
    template = forms.ChoiceField(required=False)
    description = forms.CharField(max_length=500, required=False)
    git_url = forms.CharField(
        label="URL to clone",
        max_length=500,
        required=False,
        help_text="https://…; empty: a new repository.",
        widget=text_input(inputmode="url"),
    )
    git_branch = forms.CharField(
        label="Branch",
        max_length=255,
        required=False,
        help_text="Empty: its default one.",
        widget=text_input(),
    )
    git_username = forms.CharField(
        label="User name at the repository", max_length=255, required=False, widget=text_input()
    )
    git_password = forms.CharField(
        label="Password or token at the repository",
        max_length=2000,
        required=False,
        strip=False,
        help_text="Kept encrypted; programs in the workspace do not see it.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    environment = PairsField(help_text="What everybody who sees the workspace may read.")
    secrets = PairsField(
        help_text="Kept encrypted and never shown again; programs in the workspace have them."
    )
    idle_minutes = forms.IntegerField(
        label="Stopped when idle for minutes", required=False, min_value=0, max_value=525_600
    )
    ports = NumbersField(
        help_text="Programs that listen on these in the workspace are reached at addresses of the workspace."
    )
    metadata = ObjectField(help_text="A JSON object for programs of yours; the platform only keeps it.")

    def __init__(self, *args: Any, templates: Iterable[Template], most: Quota, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = list(templates)
        default = next((one.name for one in found if one.is_default and one.tenant_id), "") or next(
            (one.name for one in found if one.is_default), ""
        )
        choices = [("", f"The default one{f' ({default})' if default else ''}")]
        choices += [(str(one.public_id), _told(one)) for one in found]
        self.fields["template"].choices = choices  # type: ignore[attr-defined]
        required = {one.name: one.required_secrets for one in found if one.required_secrets}
        if required:
            listed = "; ".join(f"{name} needs {', '.join(names)}" for name, names in required.items())
            self.fields["template"].help_text = f"Secrets: {listed}."
        self.tell_most(most, "Empty: as the template says.")
        self.fields["idle_minutes"].help_text = "0: never. Empty: as the template says."

    @property
    def given(self) -> dict[str, Any]:
        """What was written, as the verb takes it: without what was left empty, with git's secrets among the secrets."""
        values = {name: value for name, value in self.cleaned_data.items() if value not in ("", None, {}, [])}
        secrets = {**values.pop("secrets", {})}
        for field, name in GIT_SECRETS.items():
            if field in values:
                secrets[name] = values.pop(field)
        return {**values, "secrets": secrets} if secrets else values


def _told(template: Template) -> str:
    return f"{template.name} – {template.description}" if template.description else template.name


class WorkspaceSettingsForm(LimitedForm):
    """What can be changed of one; secrets that are not written stay as they are."""

    GROUPS: ClassVar[tuple[Group, ...]] = (
        Group("The workspace", ("description", "metadata"), is_open=True),
        Group("Limits", (*LIMITS, "idle_minutes"), is_open=True),
        Group("Environment and secrets", ("environment", "secrets", "forget"), is_open=True),
        Group("Ports", ("ports",), is_open=True),
    )

    description = forms.CharField(max_length=500, required=False)
    metadata = ObjectField(help_text="A JSON object for programs of yours.")
    idle_minutes = forms.IntegerField(
        label="Stopped when idle for minutes", min_value=0, max_value=525_600, help_text="0: never."
    )
    environment = PairsField()
    secrets = PairsField(label="New or changed secrets", help_text="Those that are not written here stay.")
    forget = forms.MultipleChoiceField(
        label="Secrets to remove", required=False, widget=forms.CheckboxSelectMultiple
    )
    ports = NumbersField()

    def __init__(self, *args: Any, most: Quota, secret_names: Iterable[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tell_most(most)
        for name in LIMITS:
            self.fields[name].required = True
        names = [(name, name) for name in secret_names]
        if names:
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


class ShareForm(PageForm):
    user = forms.ChoiceField(label="Member")

    def __init__(self, *args: Any, members: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].choices = members  # type: ignore[attr-defined]


class SnapshotForm(PageForm):
    name = forms.CharField(
        max_length=100, help_text="What it is of, so that you know it again.", widget=text_input()
    )
