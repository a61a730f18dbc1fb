"""The admin: one sign-in with the pages, a start page with live counts."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path
from unfold.sites import UnfoldAdminSite

from gateway import admin_json, health
from gateway.errors import Forbidden
from gateway.ui import refusal
from realtime import newest
from storage.services import totals
from tenants.services import counts, login
from workspaces.services import counts as running

admin_json.use()


class AdminSite(UnfoldAdminSite):
    """Staff only. Signing in is the pages' affair, where attempts are counted."""

    enable_nav_sidebar = True

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.user.is_authenticated:
            return refusal(request, Forbidden("The administration is for the platform's staff."))
        onward = request.GET.get("next") or request.get_full_path()
        return HttpResponseRedirect(f"{settings.LOGIN_URL}?{urlencode({'next': onward})}")

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        login.end_session(request)
        return HttpResponseRedirect(settings.LOGOUT_REDIRECT_URL)

    def extra_urls(self) -> list[URLPattern]:
        return [path("counts/", self.admin_view(self.counts), name="counts")]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().index(request, {**platform_counts(), **(extra_context or {})})

    def counts(self, request: HttpRequest) -> HttpResponse:
        """The part of the start page that HTMX renews."""
        return render(request, "admin/_counts.html", platform_counts())


def platform_counts() -> dict[str, Any]:
    """What the start page shows, as of now. Call within platform_scope."""
    return {
        "tenancy": counts.of_platform(),
        "storage": totals.of_platform(),
        "instances": running.of_platform(),
        "events": newest.last_hour(),
        "components": health.look().components,
    }
