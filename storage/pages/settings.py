"""A bucket's settings, a section each."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import reverse

from gateway.errors import DomainError, NotFound
from gateway.ui import PageRequest, is_part, page
from storage.forms import settings as forms
from storage.forms.cors import CorsRules
from storage.forms.lifecycle import LifecycleRules
from storage.forms.rules import RuleSet

from . import shown

SECTIONS: dict[str, type[forms.SettingForm] | type[RuleSet]] = {
    section.setting: section
    for section in (
        forms.VersioningForm,
        forms.LockForm,
        forms.EncryptionForm,
        forms.PublicAccessForm,
        forms.QuotaForm,
        LifecycleRules,
        CorsRules,
        forms.TagsForm,
        forms.NotificationsForm,
    )
}


@page("storage.bucket.read")
def settings(request: PageRequest, name: str) -> HttpResponse:
    return _show(request, name)


def _show(
    request: PageRequest, name: str, sent: forms.SettingForm | RuleSet | None = None, status: int = 200
) -> HttpResponse:
    """The whole page; the section that was sent with what is wrong with it."""
    row = shown.bucket(request, name)
    sections = [
        sent if sent and sent.setting == section.setting else section(bucket=row)
        for section in SECTIONS.values()
    ]
    return shown.show_tab(
        request, row, "settings", "storage/settings.html", {"sections": sections}, status=status
    )


@page("storage.bucket.write", methods=("POST",))
def setting(request: PageRequest, name: str, section: str) -> HttpResponse:
    """Change one of them. `do` other than `save` adds or removes a rule of what is being typed."""
    if section not in SECTIONS:
        raise NotFound("There is no such setting.")
    row = shown.bucket(request, name)
    form = SECTIONS[section](request.POST, bucket=row)
    status, done = 200, ""
    if form.is_valid():
        try:
            form.save(request.principal)
        except DomainError as error:
            form.refuse(error)
            status = 422
        else:
            done = f"{form.title} of {row.name}: saved."
            form = SECTIONS[section](bucket=shown.bucket(request, name))
    elif not isinstance(form, RuleSet) or form.saves:
        status = 422
    if done and not is_part(request):
        return shown.led_to(request, f"{reverse('bucket-settings', args=[name])}#{section}", done)
    if not is_part(request):
        return _show(request, name, form, status)
    context: dict[str, Any] = {"section": form}
    return shown.show_tab(
        request,
        row,
        "settings",
        "storage/settings.html",
        context,
        part="storage/_setting.html",
        status=status,
        done=done,
    )
