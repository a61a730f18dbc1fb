"""Links to share objects: a list for those who made them, and the page that a link leads to."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.cache import patch_cache_control

from gateway.api import ratelimit
from gateway.errors import DomainError
from gateway.ui import PageRequest, at, page, refusal, show, wants_problem
from storage.services import share_links as verbs
from tenants import resolver

from . import shown

PER_PAGE = 100


def _links(request: PageRequest) -> dict[str, Any]:
    bucket, key = shown.text(request, "bucket"), shown.text(request, "key")
    rows = verbs.visible(request.principal)
    if bucket:
        rows = rows.filter(bucket__name=bucket)
    if key:
        rows = rows.filter(key=key)
    asked = request.GET.get("page", "")
    number = int(asked) if asked.isascii() and asked.isdecimal() and 0 < len(asked) < 6 else 1
    begin = max(number - 1, 0) * PER_PAGE
    found = list(rows[begin : begin + PER_PAGE + 1])
    here = request.path if request.method == "GET" else ""

    def numbered(other: int) -> str:
        return at(here, bucket=bucket, key=key, page=str(other) if other > 1 else "")

    return {
        "links": [
            (link, shown.object_url(link.bucket, link.key, link.version_id)) for link in found[:PER_PAGE]
        ],
        "of_key": key,
        "asked": request.GET.urlencode(),
        "first": numbered(1) if begin else "",
        "next": numbered(number + 1) if len(found) > PER_PAGE else "",
    }


@page("storage.object.read")
def share_links(request: PageRequest) -> HttpResponse:
    """The caller's links, all of the tenant's with bucket.write; `bucket` and `key` narrow it to an object's."""
    return show(request, "storage/share_links.html", _links(request), part="storage/_share_links.html")


@page("storage.object.read", methods=("POST",))
def revoke_share_link(request: PageRequest, public_id: UUID) -> HttpResponse:
    link = get_object_or_404(verbs.visible(request.principal), public_id=public_id)
    verbs.revoke(link, actor=request.principal)
    return show(
        request,
        "storage/share_links.html",
        _links(request),
        part="storage/_share_links.html",
        done=f"The link to {verbs.file_name(link.key)} is revoked.",
    )


def shared(request: HttpRequest, token: str) -> HttpResponse:
    """What a link shares, for anybody who has it. POST leads to the bytes; scripts get their URL as JSON."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    try:
        ratelimit.count_address("auth", request)
        response = _shared(request, token)
    except DomainError as error:
        if error.status >= 500 or wants_problem(request):
            response = refusal(request, error)
        else:
            response = render(request, "storage/shared.html", {"error": error}, status=error.status)
    patch_cache_control(response, private=True, no_store=True)
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _shared(request: HttpRequest, token: str) -> HttpResponse:
    ip = resolver.client_ip(request)
    if request.method == "POST":
        url = verbs.follow(token, base_url=request.build_absolute_uri("/"), ip=ip)
        return JsonResponse({"url": url}) if wants_problem(request) else HttpResponseRedirect(url)
    found = verbs.find(token, ip=ip)
    return render(request, "storage/shared.html", {"shared": found})
