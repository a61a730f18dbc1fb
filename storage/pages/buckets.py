"""Pages of buckets: the list, a new one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse
from django.urls import reverse

from gateway.errors import DomainError
from gateway.ui import PageRequest, at, page, sheet, show
from storage.forms.buckets import BucketForm
from storage.models import Backend, Bucket
from storage.services import bucket_usage, decisions
from storage.services import buckets as verbs

from .shown import led_to

PER_PAGE = 100


def _buckets(request: PageRequest) -> dict[str, Any]:
    rows = Bucket.objects.visible_to(request.principal).select_related("placement__backend", "usage")
    search = request.GET.get("q", "").replace("\0", "")[:63]
    if search:
        rows = rows.filter(name__contains=search)
    after = request.GET.get("after", "").replace("\0", "")
    found = list(rows.filter(name__gt=after).order_by("name")[: PER_PAGE + 1])
    shown = [(row, bucket_usage.of(row), decisions.is_public(row)) for row in found[:PER_PAGE]]
    following = found[PER_PAGE - 1].name if len(found) > PER_PAGE else ""
    url = reverse("buckets")
    return {
        "buckets": shown,
        "q": search,
        "after": after,
        "first": at(url, q=search) if after else "",
        "next": at(url, q=search, after=following) if following else "",
        "here": at(url, q=search, after=after),
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
            bucket = verbs.create_bucket(
                form.cleaned_data["name"],
                backend=form.cleaned_data.get("backend") or None,
                object_lock=form.cleaned_data["object_lock"],
                actor=request.principal,
            )
        except DomainError as error:
            form.refuse(error)
        else:
            if urlsplit(request.headers.get("HX-Current-URL", "")).path != reverse("buckets"):
                return led_to(request, reverse("buckets"), f"The bucket {bucket.name} is there.")
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
    bucket = verbs.get_bucket(name, actor=request.principal)
    verbs.delete_bucket(bucket, actor=request.principal)
    return show(
        request,
        "storage/buckets.html",
        _buckets(request),
        part="storage/_buckets.html",
        done=f"The bucket {name} is deleted.",
    )
