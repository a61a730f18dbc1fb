"""Signing in: the password, the second factor; and out."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from gateway.api import ratelimit
from gateway.errors import DomainError, RateLimited, Unauthenticated
from gateway.forms import PageForm
from tenants.forms.sign_in import SecondFactorForm, SignInForm
from tenants.models import User
from tenants.principal import Principal
from tenants.services import login as signing_in
from tenants.services import sign_ins
from tenants.services.second_factors import challenges, checking, factors, webauthn
from tenants.services.second_factors.challenges import Challenge

_CHALLENGE = "second_factor_challenge"


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """Sign in and go on to `next`, if that is a page of ours; by way of the second factor where there is one."""
    onward = _safe_next(request)
    if request.method != "POST":
        if request.user.is_authenticated:
            return HttpResponseRedirect(onward)
        return _form(request, SignInForm(), onward)
    form = SignInForm(request.POST)
    if not form.is_valid():
        return _form(request, form, onward, status=422)
    try:
        ratelimit.count_sign_in(request, form.cleaned_data["username"])
        user = signing_in.check_password(**form.cleaned_data, request=request)
        if checking.methods(user):
            request.session[_CHALLENGE] = challenges.issue(user)
            return HttpResponseRedirect(_with_next("login-second-factor", onward))
        signing_in.begin_session(request, user)
    except DomainError as error:
        return _form(request, form, onward, error=error)
    return HttpResponseRedirect(onward)


def _form(
    request: HttpRequest,
    form: SignInForm,
    onward: str,
    *,
    error: DomainError | None = None,
    status: int = 200,
) -> HttpResponse:
    focus = "password" if form.data.get("username") else "username"
    form.fields["username"].widget.attrs.pop("autofocus", None)
    form.fields[focus].widget.attrs["autofocus"] = True
    context = {"form": form, "next": onward}
    return _refused(request, "gateway/login.html", context, form, error, status)


def _refused(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    form: PageForm,
    error: DomainError | None,
    status: int = 200,
) -> HttpResponse:
    headers = {}
    if error is not None:
        status = 422
        if isinstance(error, RateLimited):
            status, headers = error.status, {"Retry-After": str(error.retry_after)}
            form.add_error(None, f"Too many attempts. Try again in {error.retry_after} seconds.")
        elif form.is_bound:
            form.add_error(None, error.detail)
        else:
            context["notice"] = error.detail
    response = render(request, template, context, status=status)
    for name, value in headers.items():
        response[name] = value
    return response


@sensitive_post_parameters("code", "recovery_code", "webauthn")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def second_factor(request: HttpRequest) -> HttpResponse:
    """The step after the password; also for somebody signed in without who has one."""
    onward = _safe_next(request)
    if request.method != "POST":
        _ask_the_signed_in(request)
    token = str(request.session.get(_CHALLENGE, ""))
    form = SecondFactorForm(request.POST if request.method == "POST" else None)
    try:
        challenge = challenges.find(token)
    except Unauthenticated as error:
        request.session.pop(_CHALLENGE, None)
        if request.user.is_authenticated:
            return HttpResponseRedirect(onward)
        return _form(request, SignInForm(), onward, error=error if token else None)
    if request.method != "POST":
        return _factor_form(request, form, challenge, onward)
    try:
        ratelimit.count_sign_in(request, challenge.user.username)
        if not form.is_valid():
            return _factor_form(request, form, challenge, onward, status=422)
        user, kind = signing_in.check_second_factor(token, form.shown(), request=request)
    except DomainError as error:
        return _factor_form(request, form, challenge, onward, error=error)
    _let_in(request, user, kind)
    return HttpResponseRedirect(onward)


def _ask_the_signed_in(request: HttpRequest) -> None:
    caller = getattr(request, "principal", None)
    if not isinstance(caller, Principal) or caller.user is None or caller.credential.second_factor:
        return
    if _CHALLENGE not in request.session and checking.methods(caller.user):
        request.session[_CHALLENGE] = challenges.issue(caller.user)


def _let_in(request: HttpRequest, user: User, kind: str) -> None:
    request.session.pop(_CHALLENGE, None)
    caller = getattr(request, "principal", None)
    if isinstance(caller, Principal) and caller.user is not None and caller.user.pk == user.pk:
        sign_ins.step_up(sign_ins.of_actor(caller), kind, actor=caller)
        signing_in.renew_key(request)
    else:
        signing_in.begin_session(request, user, kind)


def _factor_form(
    request: HttpRequest,
    form: SecondFactorForm,
    challenge: Challenge,
    onward: str,
    *,
    error: DomainError | None = None,
    status: int = 200,
) -> HttpResponse:
    methods = checking.methods(challenge.user)
    context: dict[str, Any] = {"form": form, "next": onward, "methods": methods}
    if "webauthn" in methods:
        known = factors.of_account(challenge.user)
        context["options"] = webauthn.request_options(challenge.signed, known)
    return _refused(request, "tenants/second_factor.html", context, form, error, status)


def _safe_next(request: HttpRequest) -> str:
    asked = request.POST.get("next") or request.GET.get("next") or ""
    if url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure()):
        return asked
    return settings.LOGIN_REDIRECT_URL


def _with_next(name: str, onward: str) -> str:
    return f"{reverse(name)}?{urlencode({'next': onward})}"


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    signing_in.end_session(request)
    return HttpResponseRedirect(settings.LOGOUT_REDIRECT_URL)
