"""Signing in and out, the tenant switch, the overview, and what is shown when something went wrong."""

from __future__ import annotations

import logging
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from gateway.api import ratelimit
from gateway.db.scope import platform_scope
from gateway.errors import DomainError, Forbidden, NotFound, RateLimited
from gateway.forms import PageForm
from gateway.ui import PageRequest, page, refusal, show
from realtime.newest import newest
from storage.services import usage
from tenants.services import counts, switching

log = logging.getLogger(__name__)
RECENT = 30


class SignInForm(PageForm):
    username = forms.CharField(
        max_length=150, widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True})
    )
    password = forms.CharField(
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    return redirect("overview")


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """Sign in and go on to `next`, if that is a page of ours."""
    onward = _safe_next(request)
    if request.method != "POST":
        if request.user.is_authenticated:
            return HttpResponseRedirect(onward)
        return render(request, "gateway/login.html", {"form": SignInForm(), "next": onward})
    form = SignInForm(request.POST)
    status = 422
    headers = {}
    if form.is_valid():
        try:
            ratelimit.count_sign_in(request, form.cleaned_data["username"])
            user = auth.authenticate(request, **form.cleaned_data)
            if user is not None:
                with platform_scope("an account signs in, not yet a tenant"):
                    auth.login(request, user)
                return HttpResponseRedirect(onward)
            form.add_error(None, "The username or the password is wrong.")
        except RateLimited as error:
            form.add_error(None, f"Too many attempts. Try again in {error.retry_after} seconds.")
            status, headers = error.status, {"Retry-After": str(error.retry_after)}
    focus = "password" if form.data.get("username") else "username"
    form.fields["username"].widget.attrs.pop("autofocus", None)
    form.fields[focus].widget.attrs["autofocus"] = True
    context = {"form": form, "next": onward}
    response = render(request, "gateway/login.html", context, status=status)
    for name, value in headers.items():
        response[name] = value
    return response


def _safe_next(request: HttpRequest) -> str:
    asked = request.POST.get("next") or request.GET.get("next") or ""
    if url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure()):
        return asked
    return settings.LOGIN_REDIRECT_URL


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    auth.logout(request)
    return HttpResponseRedirect(settings.LOGOUT_REDIRECT_URL)


@page(methods=("POST",))
def switch_tenant(request: PageRequest) -> HttpResponse:
    switching.switch(request.session, request.POST.get("tenant", ""), actor=request.principal)
    return redirect("overview")


@page()
def overview(request: PageRequest) -> HttpResponse:
    """What the tenant holds, how much of its limits that takes, and what happens in it just now."""
    context = _figures(request)
    if request.principal.can("event.read"):
        context["events"] = newest(request.principal, RECENT)
    return show(request, "gateway/overview.html", context, part="gateway/_figures.html")


def _figures(request: PageRequest) -> dict[str, Any]:
    caller = request.principal
    return {
        "used": {**usage.of_tenant(caller.tenant.pk), **counts.of_tenant(caller.tenant.pk)},
        "limits": counts.limits(caller.tenant.pk),
    }


# What is shown when something went wrong


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    log.warning("CSRF verification failed: %s", reason)
    text = "The form was too old or came from elsewhere. Go back, reload the page and try again."
    return refusal(request, Forbidden(text, code="csrf_failed"))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return refusal(request, DomainError("The request could not be understood."))


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return refusal(request, Forbidden("You may not see this."))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return refusal(request, NotFound("There is no such page."))


def server_error(request: HttpRequest) -> HttpResponse:
    """The last resort: needs neither the database nor a session."""
    error = DomainError(
        "Something went wrong here; the request id finds it in the log.", code="internal_error"
    )
    error.status, error.title = 500, "Internal server error"
    return refusal(request, error)
