"""A bucket's objects: looked through, moved by links, deleted."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.urls import reverse

from gateway.errors import Invalid, NotFound
from gateway.ui import PageRequest, page, sheet
from storage.models import Bucket
from storage.services import buckets
from storage.services import objects as verbs

from .shown import show_tab

PER_PAGE = 100
MOST_KEYS = 100


@page("storage.bucket.read")
def objects(request: PageRequest, name: str) -> HttpResponse:
    """One level of a bucket."""
    bucket = buckets.get_bucket(name, actor=request.principal)
    prefix, after = _text(request, "prefix"), _text(request, "after")
    request.principal.require("storage.object.read")
    listed = verbs.browse(bucket, prefix, after=after, limit=PER_PAGE)
    context = {
        "bucket": bucket,
        "prefix": prefix,
        "folder": prefix[: prefix.rfind("/") + 1],
        "after": after,
        "folders": [(level, level[len(prefix) :]) for level in listed.prefixes],
        "files": [(entry, entry.key[len(prefix) :]) for entry in listed.objects],
        "crumbs": _crumbs(bucket, prefix),
        "here": _place(bucket, prefix, after),
        "first": _place(bucket, prefix),
        "next": _place(bucket, prefix, listed.next) if listed.next else "",
        "most_bytes": settings.MAX_UPLOAD_SIZE,
    }
    return show_tab(request, bucket, "objects", "storage/objects.html", context, part="storage/_objects.html")


def _text(request: PageRequest, name: str) -> str:
    return request.GET.get(name, "").replace("\0", "")[:1024]


def _place(bucket: Bucket, prefix: str = "", after: str = "") -> str:
    asked = urlencode({name: value for name, value in (("prefix", prefix), ("after", after)) if value})
    url = reverse("bucket", args=[bucket.name])
    return f"{url}?{asked}" if asked else url


def _crumbs(bucket: Bucket, prefix: str) -> list[tuple[str, str]]:
    """(name, URL) of each level from the bucket down to the prefix."""
    crumbs, below = [(bucket.name, _place(bucket))], ""
    levels = prefix.split("/")
    for level in levels[:-1]:
        below += level + "/"
        crumbs.append((level or "(empty)", _place(bucket, below)))
    if levels[-1]:
        crumbs.append((f"{levels[-1]}…", _place(bucket, prefix)))
    return crumbs


@page("storage.object.read")
def object_details(request: PageRequest, name: str) -> HttpResponse:
    bucket = buckets.get_bucket(name, actor=request.principal)
    found = verbs.get_object(bucket, request.GET.get("key", ""))
    return sheet(request, "storage/_object.html", {"bucket": bucket, "object": found})


@page("storage.object.read", "storage.object.write", methods=("POST",))
def links(request: PageRequest, name: str) -> HttpResponse:
    """`{"method": "PUT" | "GET", "key": …}` in, `{"url": …}` out: the browser moves the bytes itself."""
    bucket = buckets.get_bucket(name, actor=request.principal)
    asked = _json(request, "method", "key")
    if asked["method"] not in _LINKS:
        raise Invalid("The method is GET or PUT.", errors={"method": ["Neither."]})
    _check_path(asked["key"])
    link = _LINKS[asked["method"]](
        bucket, asked["key"], base_url=request.build_absolute_uri("/"), actor=request.principal
    )
    return JsonResponse({"url": link.url})


_LINKS = {"GET": verbs.download_link, "PUT": verbs.upload_link}


def _check_path(key: str) -> None:
    """Browsers resolve `.` and `..` in a URL's path, encoded or not, and would ask for another object."""
    if not {".", ".."}.isdisjoint(key.split("/")):
        raise Invalid(
            "A browser cannot address this key; use an S3 client.", errors={"key": ["Has . or .. in it."]}
        )


@page("storage.object.delete", methods=("POST",))
def delete_objects(request: PageRequest, name: str) -> HttpResponse:
    """`{"keys": […]}` in, `{"deleted": number}` out. An object that is gone already is as good as deleted."""
    bucket = buckets.get_bucket(name, actor=request.principal)
    wanted = _json(request, "keys", kind=list)["keys"]
    if len(wanted) > MOST_KEYS or not all(isinstance(key, str) for key in wanted):
        raise Invalid(f"Send at most {MOST_KEYS} keys.", errors={"keys": ["Not such a list."]})
    deleted = 0
    for key in wanted:
        try:
            verbs.delete_object(bucket, key, actor=request.principal)
        except NotFound:
            continue
        deleted += 1
    return JsonResponse({"deleted": deleted})


def _json(request: PageRequest, *names: str, kind: type = str) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Invalid("The body is not JSON.") from None
    if not isinstance(body, dict) or not all(isinstance(body.get(name), kind) for name in names):
        raise Invalid(f"Send {' and '.join(names)}.")
    return body
