"""Pages of one's own account: profile, password, where one is signed in."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters

from gateway.api.exceptions import details
from gateway.db.scope import platform_scope
from gateway.errors import DomainError, Forbidden
from gateway.forms import PageForm
from gateway.ui import PROBLEM, PageRequest, page, show, wants_problem
from tenants.forms.account import ConfirmPasswordForm, PasswordForm, ProfileForm
from tenants.models import SignIn
from tenants.services import login, profile, sign_ins

NOT_CONFIRMED = ("password_needed", "second_factor_required")
_SHOWN = 200
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone|iPad", "iOS"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


@page(methods=("GET", "HEAD", "POST"), account=True)
def account(request: PageRequest) -> HttpResponse:
    """Name and address; POST changes them."""
    user = sign_ins.of_actor(request.principal).user
    form = ProfileForm(request.POST or None, initial={"name": user.name, "email": user.email})
    if request.method == "POST" and form.is_valid():
        try:
            profile.update(**form.cleaned_data, actor=request.principal)
            messages.success(request, "Your profile is saved.")
            return redirect("account")
        except Forbidden as error:
            if error.code in NOT_CONFIRMED:
                return ask_password(request, error, reverse("account"))
            form.refuse(error)
        except DomainError as error:
            form.refuse(error)
    return _profile(request, profile_form=form)


@sensitive_post_parameters("current_password", "new_password")
@page(methods=("POST",), account=True)
def password(request: PageRequest) -> HttpResponse:
    form = PasswordForm(request.POST)
    if form.is_valid():
        try:
            user = profile.change_password(
                form.cleaned_data["current_password"],
                form.cleaned_data["new_password"],
                actor=request.principal,
            )
            login.keep_session(request, user)
            messages.success(request, "Your password is changed; you are signed out everywhere else.")
            return redirect("account")
        except DomainError as error:
            refuse(form, error, {"password": "new_password"})
    return _profile(request, password_form=form)


def refuse(form: PageForm, error: DomainError, names: dict[str, str]) -> None:
    """Put a verb's error at the form's field of another name."""
    error.errors = {names.get(name, name): texts for name, texts in error.errors.items()}
    form.refuse(error)


def _profile(
    request: PageRequest, profile_form: PageForm | None = None, password_form: PageForm | None = None
) -> HttpResponse:
    user = sign_ins.of_actor(request.principal).user
    refused = any(form is not None and form.errors for form in (profile_form, password_form))
    context = {
        "user": user,
        "profile_form": profile_form or ProfileForm(initial={"name": user.name, "email": user.email}),
        "password_form": password_form or PasswordForm(),
        "tab": "account",
    }
    return show(request, "tenants/account.html", context, status=422 if refused else 200)


@sensitive_post_parameters("password")
@page(methods=("GET", "HEAD", "POST"), account=True)
def confirm(request: PageRequest) -> HttpResponse:
    """Enter the password again, and go on to `next`."""
    onward = request.POST.get("next") or request.GET.get("next") or ""
    if not url_has_allowed_host_and_scheme(onward, {request.get_host()}, require_https=request.is_secure()):
        onward = reverse("account")
    form = ConfirmPasswordForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            profile.confirm_password(form.cleaned_data["password"], actor=request.principal)
            login.renew_key(request)
            return HttpResponseRedirect(onward)
        except DomainError as error:
            form.refuse(error)
    context = {"form": form, "next": onward, "tab": ""}
    return show(request, "tenants/account_confirm.html", context, status=422 if form.errors else 200)


def ask_password(request: PageRequest, error: DomainError, back: str) -> HttpResponse:
    """To the page where the password is entered again, or the second factor shown, and `back`."""
    name = "account-confirm" if error.code == "password_needed" else "login-second-factor"
    to = f"{reverse(name)}?{urlencode({'next': back})}"
    if wants_problem(request):
        problem = details(error)
        return JsonResponse(problem, status=error.status, content_type=PROBLEM, headers={"HX-Redirect": to})
    return HttpResponseRedirect(to)


@page(account=True)
def sessions(request: PageRequest) -> HttpResponse:
    """Where one is signed in."""
    return _sessions(request)


def _sessions(request: PageRequest, done: str = "") -> HttpResponse:
    with platform_scope("sign-ins are an account's, not a tenant's"):
        rows = list(sign_ins.mine(request.principal)[:_SHOWN])
    current = request.principal.credential.sign_in
    context: dict[str, Any] = {
        "sign_ins": [
            {"row": row, "device": device(row), "is_current": str(row.public_id) == current} for row in rows
        ],
        "others": sum(str(row.public_id) != current for row in rows),
        "tab": "account-sessions",
    }
    return show(
        request, "tenants/account_sessions.html", context, part="tenants/_account_sessions.html", done=done
    )


@page(methods=("POST",), account=True)
def end_session(request: PageRequest, public_id: UUID) -> HttpResponse:
    row = sign_ins.one_of(public_id, actor=request.principal)
    sign_ins.end(row, SignIn.Reason.ENDED, actor=request.principal)
    return _sessions(request, done="It is signed out.")


@page(methods=("POST",), account=True)
def end_other_sessions(request: PageRequest) -> HttpResponse:
    caller = request.principal
    assert caller.user is not None
    count = sign_ins.end_all(caller.user, SignIn.Reason.ENDED, actor=caller, keep=caller.credential.sign_in)
    return _sessions(request, done=f"{count} signed out.")


def device(row: SignIn) -> str:
    """What signed in, in a few words."""
    agent = row.user_agent
    if "Mozilla/" not in agent:
        return agent.split(" ")[0][:60] or "Unknown program"
    browser = next((name for mark, name in _BROWSERS if mark in agent), "Browser")
    system = next((name for mark, name in _SYSTEMS if re.search(mark, agent)), "")
    return f"{browser} on {system}" if system else browser
