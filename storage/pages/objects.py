"""A bucket's objects: looked through, moved by links, deleted."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpResponse, JsonResponse

from gateway.errors import Invalid
from gateway.ui import PageRequest, page
from storage.models import Bucket
from storage.services import bulk, decisions, share_links, versions
from storage.services import objects as verbs

from . import shown

PER_PAGE = 100
SHARED_FOR = timedelta(days=1)


@page("storage.object.read")
def objects(request: PageRequest, name: str) -> HttpResponse:
    """One level of a bucket; with `versions` what was replaced or deleted too."""
    row = shown.bucket(request, name)
    prefix, after = shown.text(request, "prefix"), shown.text(request, "after")
    with_versions = "1" if request.GET.get("versions") else ""
    action = "s3:ListBucketVersions" if with_versions else "s3:ListBucket"
    decisions.require(row, action, prefix=prefix, actor=request.principal)
    level = (
        _versions(row, prefix, after, shown.text(request, "at"))
        if with_versions
        else _level(row, prefix, after)
    )
    context = {
        **level,
        "prefix": prefix,
        "folder": prefix[: prefix.rfind("/") + 1],
        "after": after,
        "with_versions": with_versions,
        "crumbs": shown.crumbs(row, prefix, with_versions),
        "here": shown.place(row, prefix, after, with_versions),
        "first": shown.place(row, prefix, versions=with_versions) if after else "",
        "switch": shown.place(row, prefix, versions="" if with_versions else "1"),
        "most_bytes": settings.MAX_UPLOAD_SIZE,
    }
    return shown.show_tab(
        request, row, "objects", "storage/objects.html", context, part="storage/_objects.html"
    )


def _level(row: Bucket, prefix: str, after: str) -> dict[str, Any]:
    listed = verbs.browse(row, prefix, after=after, limit=PER_PAGE)
    return {
        "folders": _folders(row, prefix, listed.prefixes),
        "files": [
            (entry, entry.key[len(prefix) :], shown.object_url(row, entry.key)) for entry in listed.objects
        ],
        "next": shown.place(row, prefix, listed.next) if listed.next else "",
    }


def _versions(row: Bucket, prefix: str, after: str, version: str) -> dict[str, Any]:
    listed = versions.browse(row, prefix, after=(after, version), limit=PER_PAGE)
    return {
        "folders": _folders(row, prefix, listed.prefixes, "1"),
        "files": [
            (entry, entry.key[len(prefix) :], shown.object_url(row, entry.key, entry.version_id))
            for entry in listed.versions
        ],
        "next": shown.place(row, prefix, listed.next[0], "1", listed.next[1]) if listed.next else "",
    }


def _folders(
    row: Bucket, prefix: str, found: list[str], with_versions: str = ""
) -> list[tuple[str, str, str]]:
    return [(level, level[len(prefix) :], shown.place(row, level, versions=with_versions)) for level in found]


@page("storage.object.read", "storage.object.write", methods=("POST",))
def links(request: PageRequest, name: str) -> HttpResponse:
    """`{"method", "key"}` in, `{"url": …}` out: the browser moves the bytes itself.

    `method` is GET or PUT; SHARE for a page that people download it from, for a day; or a step of an upload in parts:
    `create` (with `is_new` unless there is such an object), `part` (with `upload` and `part`), `complete` or `abort`
    (with `upload`).
    """
    row = shown.bucket(request, name)
    asked = _json(request, "method", "key")
    method, key = asked["method"], asked["key"]
    if verbs.is_unaddressable(key):
        raise Invalid(
            "A browser cannot address this key; use an S3 client.", errors={"key": ["Has . or .. in it."]}
        )
    here: dict[str, Any] = {"base_url": request.build_absolute_uri("/"), "actor": request.principal}
    if method == "GET":
        link = verbs.download_link(row, key, version_id=str(asked.get("version", "")), **here)
    elif method == "SHARE":
        return JsonResponse({"url": share_links.create(row, key, lasts=SHARED_FOR, **here)[1]})
    elif method == "PUT":
        link = verbs.upload_link(row, key, **here)
    elif method in verbs.STEPS:
        upload, part = str(asked.get("upload", "")), asked.get("part", 0)
        link = verbs.part_link(row, key, method, upload, part, is_new=bool(asked.get("is_new")), **here)
    else:
        raise Invalid("The method is GET or PUT.", errors={"method": ["Neither."]})
    return JsonResponse({"url": link.url})


@page("storage.object.delete", methods=("POST",))
def delete_objects(request: PageRequest, name: str) -> HttpResponse:
    """`{"keys": […]}`, or `{"prefix", "after"?}` in, `{"deleted", "refused", "next"}` out.

    An object that is gone already is as good as deleted. Where `next` is not null there is more to delete.
    """
    row = shown.bucket(request, name)
    body = _json(request)
    if isinstance(body.get("prefix"), str):
        after = body.get("after") or ["", ""]
        if not isinstance(after, list) or [type(one) for one in after] != [str, str]:
            raise Invalid("Send what the last answer said as after.", errors={"after": ["Two texts."]})
        outcome = bulk.delete_below(row, body["prefix"], after=(after[0], after[1]), actor=request.principal)
    else:
        wanted = body.get("keys")
        if not isinstance(wanted, list) or not all(isinstance(key, str) for key in wanted):
            raise Invalid("Send keys, or a prefix.", errors={"keys": ["Not such a list."]})
        outcome = bulk.delete_keys(row, [(key, "") for key in wanted], actor=request.principal)
    refused = [f"{key}: {why}" for key, _, why in outcome.refused]
    return JsonResponse({"deleted": outcome.deleted, "refused": refused, "next": outcome.next})


def _json(request: PageRequest, *names: str) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Invalid("The body is not JSON.") from None
    if not isinstance(body, dict) or not all(isinstance(body.get(name), str) for name in names):
        raise Invalid(f"Send {' and '.join(names) or 'a JSON object'}.")
    return body
