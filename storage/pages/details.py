"""The page of one object: what is kept of it, its versions, tags, lock, and links to share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from gateway.errors import DomainError, NotFound
from gateway.ui import PageRequest, at, is_part, page
from storage.forms.objects import PAGE, SAVES, RetentionForm, ShareForm, TagsForm
from storage.models import Bucket
from storage.services import amendments, decisions, objects, share_links, versions
from storage.services.versions import Version

from . import previews, shown

MOST_VERSIONS = 100


@dataclass(frozen=True, slots=True)
class SharedLink:
    """A link that was just made; one that `is_kept` can be revoked."""

    url: str
    expires_at: datetime
    is_kept: bool


@page("storage.object.read")
def details(request: PageRequest, name: str) -> HttpResponse:
    """An object, or with `version` one of its versions."""
    row = shown.bucket(request, name)
    try:
        _, found = _found(request, name)
    except NotFound as error:
        if is_part(request):
            raise
        return _missing(request, row, error)
    return _show(request, row, found)


def _missing(request: PageRequest, row: Bucket, error: NotFound) -> HttpResponse:
    """Somebody deleted it meanwhile, or the link is old: a way on to what is there."""
    key = shown.text(request, "key")
    version = shown.text(request, "version")
    context = {
        "key": key,
        "error": error,
        "folder_url": shown.place(row, key[: key.rfind("/") + 1]),
        "current_url": shown.object_url(row, key) if version else "",
    }
    return shown.show_tab(request, row, "objects", "storage/missing.html", context, status=404)


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
    link: SharedLink | None = None,
    status: int = 200,
    done: str = "",
) -> HttpResponse:
    caller = request.principal
    others = versions.of_key(row, found.key, MOST_VERSIONS + 1)
    asked = shown.text(request, "version")
    until = found.locked_until
    context = {
        "object": found,
        "is_asked": bool(asked),
        "crumbs": shown.crumbs(row, found.key)[:-1]
        if not found.key.endswith("/")
        else shown.crumbs(row, found.key),
        "short": found.key.rstrip("/").rpartition("/")[2] or found.key,
        "versions": [(one, shown.object_url(row, one.key, one.version_id)) for one in others[:MOST_VERSIONS]],
        "more_versions": shown.place(row, found.key, versions="1") if len(others) > MOST_VERSIONS else "",
        "has_versions": len(others) > 1 or bool(row.versioning),
        "current_url": shown.object_url(row, found.key),
        "change_url": shown.object_url(row, found.key, asked, "change-object"),
        "share_url": shown.object_url(row, found.key, asked, "share-object"),
        "tags": tags or TagsForm(initial={"tags": dict(found.tags)}),
        "retention": retention
        or RetentionForm(initial={"mode": found.lock.get("mode", "GOVERNANCE"), "until": until}),
        "share": share or ShareForm(),
        "links_url": at(reverse("share-links"), bucket=row.name, key=found.key),
        "links_count": share_links.live(caller, row, found.key).count(),
        "link": link,
        "is_locked": found.is_held or (until is not None and until > timezone.now()),
        "preview": previews.of(request, row, found),
        "unaddressable": objects.is_unaddressable(found.key),
        "may_tag": caller.can("storage.object.write") and not found.is_delete_marker,
        "may_lock": caller.can("storage.object.lock") and row.object_lock and not found.is_delete_marker,
        "may_delete": caller.can("storage.object.delete"),
        "may_restore": caller.can("storage.object.write"),
        "delete_question": _delete_question(row, found.key, asked),
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


def _delete_question(row: Bucket, key: str, version: str) -> str:
    if version:
        return f"Delete this version of {key} for good?"
    if row.versioning == Bucket.Versioning.ENABLED:
        return f"Delete {key}? It stays as a version."
    return f"Delete {key}? This cannot be undone."


@page("storage.object.read")
def open_document(request: PageRequest, name: str) -> HttpResponse:
    """On to the bytes of a PDF, by a link that is made anew each time."""
    row, found = _found(request, name)
    return HttpResponseRedirect(previews.document_link(request, row, found))


@page("storage.object.read", methods=("POST",))
def share(request: PageRequest, name: str) -> HttpResponse:
    """A link that whoever has it may download by: a page of ours, or a presigned URL."""
    row, found = _found(request, name)
    form = ShareForm(request.POST)
    if form.is_valid():
        try:
            return _show(request, row, found, share=form, link=_link(request, row, found, form))
        except DomainError as error:
            form.refuse(error)
    return _show(request, row, found, share=form, status=422)


def _link(request: PageRequest, row: Bucket, found: Version, form: ShareForm) -> SharedLink:
    kind = form.cleaned_data["kind"] or PAGE
    asked: dict[str, Any] = {
        "version_id": shown.text(request, "version"),
        "base_url": request.build_absolute_uri("/"),
        "lasts": form.span,
        "actor": request.principal,
    }
    if kind == PAGE:
        made, url = share_links.create(row, found.key, **asked)
        return SharedLink(url, made.expires_at, True)
    answer = {"content-disposition": share_links.disposition(found.key)} if kind == SAVES else None
    link = objects.download_link(row, found.key, answer=answer, **asked)
    return SharedLink(link.url, link.expires_at, False)


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
