"""The page of one object: what is kept of it, its versions, tags, lock, and links to share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.utils import timezone

from gateway.errors import DomainError, NotFound
from gateway.ui import PageRequest, is_part, page
from storage.forms.objects import RetentionForm, ShareForm, TagsForm
from storage.models import Bucket
from storage.services import amendments, decisions, objects, versions
from storage.services.versions import Version

from . import previews, shown

MOST_VERSIONS = 100


@page("storage.object.read")
def details(request: PageRequest, name: str) -> HttpResponse:
    """An object, or with `version` one of its versions."""
    row, found = _found(request, name)
    return _show(request, row, found)


def _found(request: PageRequest, name: str) -> tuple[Bucket, Version]:
    row = shown.bucket(request, name)
    key, version = shown.text(request, "key"), shown.text(request, "version")
    decisions.require(row, "s3:GetObject", key, actor=request.principal)
    return row, versions.find(row, key, version)


def _show(
    request: PageRequest,
    row: Bucket,
    found: Version,
    *,
    tags: TagsForm | None = None,
    retention: RetentionForm | None = None,
    share: ShareForm | None = None,
    link: Any = None,
    status: int = 200,
    done: str = "",
) -> HttpResponse:
    caller = request.principal
    others = versions.of_key(row, found.key, MOST_VERSIONS)
    asked = shown.text(request, "version")
    until = found.locked_until
    context = {
        "object": found,
        "is_asked": bool(asked),
        "crumbs": shown.crumbs(row, found.key)[:-1]
        if not found.key.endswith("/")
        else shown.crumbs(row, found.key),
        "short": found.key.rstrip("/").rpartition("/")[2] or found.key,
        "versions": [(one, shown.object_url(row, one.key, one.version_id)) for one in others],
        "has_versions": len(others) > 1 or bool(row.versioning),
        "current_url": shown.object_url(row, found.key),
        "change_url": shown.object_url(row, found.key, asked, "change-object"),
        "share_url": shown.object_url(row, found.key, asked, "share-object"),
        "tags": tags or TagsForm(initial={"tags": dict(found.tags)}),
        "retention": retention
        or RetentionForm(initial={"mode": found.lock.get("mode", "GOVERNANCE"), "until": until}),
        "share": share or ShareForm(),
        "link": link,
        "is_locked": found.is_held or (until is not None and until > timezone.now()),
        "preview": previews.of(request, row, found),
        "unaddressable": objects.is_unaddressable(found.key),
        "may_tag": caller.can("storage.object.write") and not found.is_delete_marker,
        "may_lock": caller.can("storage.object.lock") and row.object_lock and not found.is_delete_marker,
        "may_delete": caller.can("storage.object.delete"),
        "may_restore": caller.can("storage.object.write"),
    }
    return shown.show_tab(
        request,
        row,
        "objects",
        "storage/object.html",
        context,
        part="storage/_object.html",
        status=status,
        done=done,
    )


@page("storage.object.read", methods=("POST",))
def share(request: PageRequest, name: str) -> HttpResponse:
    """A link that whoever has it may download by, for a while."""
    row, found = _found(request, name)
    form = ShareForm(request.POST)
    if not form.is_valid():
        return _show(request, row, found, share=form, status=422)
    file_name = found.key.rpartition("/")[2].replace('"', "").encode("ascii", "ignore").decode()
    answer = (
        {"content-disposition": f'attachment; filename="{file_name}"'} if form.cleaned_data["saves"] else None
    )
    link = objects.download_link(
        row,
        found.key,
        version_id=shown.text(request, "version"),
        base_url=request.build_absolute_uri("/"),
        lasts=form.span,
        answer=answer,
        actor=request.principal,
    )
    return _show(request, row, found, share=form, link=link)


@page("storage.object.read", methods=("POST",))
def change(request: PageRequest, name: str) -> HttpResponse:
    """Change it as `do` says: `tags`, `retain`, `unlock`, `hold`, `release`, `restore`, `undelete`, `delete`."""
    row, found = _found(request, name)
    do = request.POST.get("do", "")
    if do == "tags":
        return _tags(request, row, found)
    if do == "retain":
        return _retain(request, row, found)
    if do not in _VERBS:
        raise NotFound("Nothing to do was named.")
    done, stays = _VERBS[do](request, row, found)
    url = shown.object_url(row, found.key)
    if not stays:
        return shown.led_to(request, shown.place(row, found.key[: found.key.rfind("/") + 1]), done)
    if do in ("hold", "release", "unlock") and is_part(request):
        return _show(request, row, _again(request, row, found), done=done)
    return shown.led_to(request, url, done)


def _again(request: PageRequest, row: Bucket, found: Version) -> Version:
    return versions.find(row, found.key, shown.text(request, "version"))


def _named(request: PageRequest, found: Version) -> str:
    """The version that the page shows, where it is not simply the current object."""
    return request.POST.get("version", "").replace("\0", "") or shown.text(request, "version")


def _tags(request: PageRequest, row: Bucket, found: Version) -> HttpResponse:
    request.principal.require("storage.object.write")
    form = TagsForm(request.POST)
    if form.is_valid():
        try:
            amendments.set_tags(
                row,
                found.key,
                form.cleaned_data["tags"],
                version_id=shown.text(request, "version"),
                actor=request.principal,
            )
        except DomainError as error:
            form.refuse(error)
        else:
            return _show(request, row, _again(request, row, found), done="The tags are saved.")
    return _show(request, row, found, tags=form, status=422)


def _retain(request: PageRequest, row: Bucket, found: Version) -> HttpResponse:
    request.principal.require("storage.object.lock")
    form = RetentionForm(request.POST)
    if form.is_valid():
        values = form.cleaned_data
        try:
            amendments.set_retention(
                row,
                found.key,
                values["mode"],
                values["until"],
                version_id=shown.text(request, "version"),
                bypass_governance=values["bypass"],
                actor=request.principal,
            )
        except DomainError as error:
            form.refuse(error)
        else:
            return _show(request, row, _again(request, row, found), done="It is locked.")
    return _show(request, row, found, retention=form, status=422)


Verb = Callable[[PageRequest, Bucket, Version], tuple[str, bool]]


def _unlock(request: PageRequest, row: Bucket, found: Version) -> tuple[str, bool]:
    amendments.set_retention(
        row,
        found.key,
        None,
        None,
        version_id=_named(request, found),
        bypass_governance=True,
        actor=request.principal,
    )
    return "It is not locked any more.", True


def _hold(request: PageRequest, row: Bucket, found: Version) -> tuple[str, bool]:
    amendments.set_legal_hold(
        row, found.key, True, version_id=_named(request, found), actor=request.principal
    )
    return "It is held.", True


def _release(request: PageRequest, row: Bucket, found: Version) -> tuple[str, bool]:
    amendments.set_legal_hold(
        row, found.key, False, version_id=_named(request, found), actor=request.principal
    )
    return "It is not held any more.", True


def _restore(request: PageRequest, row: Bucket, found: Version) -> tuple[str, bool]:
    versions.restore(row, found.key, _named(request, found), actor=request.principal)
    return "The older version is the current one again.", True


def _undelete(request: PageRequest, row: Bucket, found: Version) -> tuple[str, bool]:
    versions.undelete(row, found.key, actor=request.principal)
    return f"{found.key} is back.", True


def _delete(request: PageRequest, row: Bucket, found: Version) -> tuple[str, bool]:
    version = _named(request, found)
    if not version:
        objects.delete_object(row, found.key, actor=request.principal)
        return f"{found.key} is deleted.", False
    versions.delete_version(row, found.key, version, actor=request.principal)
    return "The version is deleted for good.", bool(versions.of_key(row, found.key, 1))


_VERBS: dict[str, Verb] = {
    "unlock": _unlock,
    "hold": _hold,
    "release": _release,
    "restore": _restore,
    "undelete": _undelete,
    "delete": _delete,
}
