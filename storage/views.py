"""Pages of buckets, their objects, and the keys that open them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from django.conf import settings
from django.db.models import F, QuerySet
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from gateway.errors import DomainError, Invalid, NotFound
from gateway.ui import PageRequest, page, sheet, show

from .forms import AccessKeyForm, BucketForm
from .models import AccessKey, Backend, Bucket
from .services import access_keys as keys
from .services import buckets as bucket_verbs
from .services import objects as object_verbs

PER_PAGE = 100
MOST_KEYS = 100
READ_KEYS, WRITE_KEYS = "storage.access_key.manage", "storage.access_key.write"


# Buckets


def _buckets(request: PageRequest) -> dict[str, Any]:
    rows = Bucket.objects.visible_to(request.principal).select_related("placement__backend")
    search = request.GET.get("q", "").replace("\0", "")[:63]
    if search:
        rows = rows.filter(name__contains=search)
    after = request.GET.get("after", "").replace("\0", "")
    found = list(rows.filter(name__gt=after).order_by("name")[: PER_PAGE + 1])
    following = found[PER_PAGE - 1].name if len(found) > PER_PAGE else ""
    asked = urlencode({name: value for name, value in (("q", search), ("after", after)) if value})
    return {
        "buckets": found[:PER_PAGE],
        "q": search,
        "after": after,
        "next": following,
        "here": f"{reverse('buckets')}?{asked}",
    }


def _bucket_form(request: PageRequest, data: Any = None) -> BucketForm:
    return BucketForm(data, backends=list(Backend.objects.visible_to(request.principal)))


@page("storage.bucket.read", methods=("GET", "HEAD", "POST"))
def buckets(request: PageRequest) -> HttpResponse:
    """The tenant's buckets; POST makes one."""
    if request.method != "POST":
        return show(request, "storage/buckets.html", _buckets(request), part="storage/_buckets.html")
    request.principal.require("storage.bucket.write")
    form = _bucket_form(request, request.POST)
    if form.is_valid():
        try:
            bucket = bucket_verbs.create_bucket(
                form.cleaned_data["name"],
                backend=form.cleaned_data.get("backend") or None,
                actor=request.principal,
            )
        except DomainError as error:
            form.refuse(error)
        else:
            response = show(
                request,
                "storage/buckets.html",
                _buckets(request),
                part="storage/_buckets.html",
                done=f"The bucket {bucket.name} is there.",
                closes="sheet",
            )
            response["HX-Retarget"] = "#buckets"
            return response
    return sheet(request, "storage/_bucket_form.html", {"form": form}, status=422)


@page("storage.bucket.write")
def new_bucket(request: PageRequest) -> HttpResponse:
    return sheet(request, "storage/_bucket_form.html", {"form": _bucket_form(request)})


@page("storage.bucket.delete", methods=("POST",))
def delete_bucket(request: PageRequest, name: str) -> HttpResponse:
    bucket = bucket_verbs.get_bucket(name, actor=request.principal)
    bucket_verbs.delete_bucket(bucket, actor=request.principal)
    return show(
        request,
        "storage/buckets.html",
        _buckets(request),
        part="storage/_buckets.html",
        done=f"The bucket {name} is deleted.",
    )


# Objects


@page("storage.bucket.read")
def objects(request: PageRequest, name: str) -> HttpResponse:
    """One level of a bucket."""
    bucket = bucket_verbs.get_bucket(name, actor=request.principal)
    prefix, after = _text(request, "prefix"), _text(request, "after")
    request.principal.require("storage.object.read")
    listed = object_verbs.browse(bucket, prefix, after=after, limit=PER_PAGE)
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
    return show(request, "storage/objects.html", context, part="storage/_objects.html")


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
    bucket = bucket_verbs.get_bucket(name, actor=request.principal)
    found = object_verbs.get_object(bucket, request.GET.get("key", ""))
    return sheet(request, "storage/_object.html", {"bucket": bucket, "object": found})


@page("storage.object.read", "storage.object.write", methods=("POST",))
def links(request: PageRequest, name: str) -> HttpResponse:
    """`{"method": "PUT" | "GET", "key": …}` in, `{"url": …}` out: the browser moves the bytes itself."""
    bucket = bucket_verbs.get_bucket(name, actor=request.principal)
    asked = _json(request, "method", "key")
    if asked["method"] not in _LINKS:
        raise Invalid("The method is GET or PUT.", errors={"method": ["Neither."]})
    _check_path(asked["key"])
    link = _LINKS[asked["method"]](
        bucket, asked["key"], base_url=request.build_absolute_uri("/"), actor=request.principal
    )
    return JsonResponse({"url": link.url})


_LINKS = {"GET": object_verbs.download_link, "PUT": object_verbs.upload_link}


def _check_path(key: str) -> None:
    """Browsers resolve `.` and `..` in a URL's path, encoded or not, and would ask for another object."""
    if not {".", ".."}.isdisjoint(key.split("/")):
        raise Invalid(
            "A browser cannot address this key; use an S3 client.", errors={"key": ["Has . or .. in it."]}
        )


@page("storage.object.delete", methods=("POST",))
def delete_objects(request: PageRequest, name: str) -> HttpResponse:
    """`{"keys": […]}` in, `{"deleted": number}` out. An object that is gone already is as good as deleted."""
    bucket = bucket_verbs.get_bucket(name, actor=request.principal)
    wanted = _json(request, "keys", kind=list)["keys"]
    if len(wanted) > MOST_KEYS or not all(isinstance(key, str) for key in wanted):
        raise Invalid(f"Send at most {MOST_KEYS} keys.", errors={"keys": ["Not such a list."]})
    deleted = 0
    for key in wanted:
        try:
            object_verbs.delete_object(bucket, key, actor=request.principal)
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


# S3 access keys


def _people_keys(request: PageRequest) -> QuerySet[AccessKey]:
    """Without the hidden ones that sign the platform's own links."""
    return AccessKey.objects.visible_to(request.principal).filter(is_internal=False)


def _keys(request: PageRequest) -> dict[str, Any]:
    rows = _people_keys(request).select_related("user")
    if not request.principal.can("storage.access_key.manage"):
        rows = rows.filter(user=request.principal.user)
    return {
        "keys": rows.order_by(F("revoked_at").desc(nulls_first=True), "-created_at")[:500],
        "endpoint": _endpoint(request),
    }


def _endpoint(request: PageRequest) -> str:
    """The S3 endpoint on the address that the person uses just now."""
    return request.build_absolute_uri("/s3")


@page(WRITE_KEYS, READ_KEYS, methods=("GET", "HEAD", "POST"))
def access_keys(request: PageRequest) -> HttpResponse:
    """The caller's keys, all of the tenant's with access_key.manage. POST makes one and shows its secret, this once."""
    if request.method != "POST":
        return show(request, "storage/access_keys.html", _keys(request), part="storage/_access_keys.html")
    form = AccessKeyForm(request.POST)
    if form.is_valid():
        try:
            key, secret = keys.issue_access_key(form.cleaned_data["name"], actor=request.principal)
        except DomainError as error:
            form.refuse(error)
        else:
            endpoint = _endpoint(request)
            issued = {"key": key, "secret": secret, "endpoint": endpoint, "host": urlsplit(endpoint).netloc}
            return sheet(
                request, "storage/_access_key_issued.html", {"issued": issued}, changed="keys-changed"
            )
    return sheet(request, "storage/_access_key_form.html", {"form": form}, status=422)


@page(WRITE_KEYS)
def new_access_key(request: PageRequest) -> HttpResponse:
    return sheet(request, "storage/_access_key_form.html", {"form": AccessKeyForm()})


@page(WRITE_KEYS, READ_KEYS, methods=("POST",))
def revoke_access_key(request: PageRequest, public_id: UUID) -> HttpResponse:
    key = get_object_or_404(_people_keys(request), public_id=public_id)
    keys.revoke_access_key(key, actor=request.principal)
    return show(
        request,
        "storage/access_keys.html",
        _keys(request),
        part="storage/_access_keys.html",
        done=f"{key.name} is revoked.",
    )
