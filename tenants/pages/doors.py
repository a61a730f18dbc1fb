"""Pages for people who are not in yet: the link of an invitation, and of a forgotten password.

A page's address is a secret here: it is not stored, and other sites do not learn it (Referrer-Policy: same-origin).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.views.decorators.debug import sensitive_post_parameters

from gateway.api import ratelimit
from gateway.errors import DomainError
from gateway.ui import refusal
from tenants import resolver
from tenants.forms.doors import ForgottenForm, NewAccountForm, NewPasswordForm
from tenants.models import Invitation, User
from tenants.services import invitations, passwords

P = ParamSpec("P")
Door = Callable[Concatenate[HttpRequest, P], HttpResponse]


def _door(view: Door[P]) -> Door[P]:
    """For anybody, at the rate of signing in. What is refused is shown as a page."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.method not in ("GET", "HEAD", "POST"):
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        try:
            ratelimit.count_address("auth", request)
            response = view(request, *args, **kwargs)
        except DomainError as error:
            response = refusal(request, error)
        patch_cache_control(response, private=True, no_store=True)
        return response

    return cast("Door[P]", guarded)


@sensitive_post_parameters("password", "again")
@_door
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Whose invitation this is, and a form to join with a new account; the signed-in join with a button."""
    found = invitations.find(token)
    if isinstance(request.user, User):
        return _join(request, request.user, found, token)
    form = NewAccountForm(request.POST or None, initial={"name": found.name})
    if request.method != "POST":
        return _show_invitation(request, found, form)
    if form.is_valid():
        values = form.cleaned_data
        who = invitations.NewAccount(values["username"], values["password"], values["name"])
        try:
            invitations.accept(token, who, ip=resolver.client_ip(request))
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, "Your account is ready. Sign in.")
            return HttpResponseRedirect(settings.LOGIN_URL)
    return _show_invitation(request, found, form, status=422)


def _join(request: HttpRequest, user: User, found: Invitation, token: str) -> HttpResponse:
    if request.method == "POST":
        membership = invitations.accept(token, user, ip=resolver.client_ip(request))
        request.session["tenant"] = membership.tenant.slug
        messages.success(request, f"Welcome to {membership.tenant.name}.")
        return HttpResponseRedirect(settings.LOGIN_REDIRECT_URL)
    return _show_invitation(request, found, None)


def _show_invitation(
    request: HttpRequest, found: Invitation, form: NewAccountForm | None, status: int = 200
) -> HttpResponse:
    return render(request, "tenants/invitation.html", {"invitation": found, "form": form}, status=status)


@_door
def forgotten(request: HttpRequest) -> HttpResponse:
    """Ask for a link; the answer is the same for a name that nobody has."""
    form = ForgottenForm(request.POST or None)
    context = {"form": form}
    if request.method == "POST" and form.is_valid():
        identifier = form.cleaned_data["identifier"]
        ratelimit.count("auth", request, f"reset:{identifier.lower()}", passwords.LINKS_PER_MINUTE)
        passwords.request_link(identifier)
        return render(request, "tenants/password_forgotten.html", {"asked": True})
    status = 422 if request.method == "POST" else 200
    return render(request, "tenants/password_forgotten.html", context, status=status)


@sensitive_post_parameters("password", "again")
@_door
def new_password(request: HttpRequest, token: str) -> HttpResponse:
    """Choose a password with a link's token."""
    user = passwords.check_token(token)
    form = NewPasswordForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                passwords.confirm(token, form.cleaned_data["password"], ip=resolver.client_ip(request))
            except DomainError as error:
                form.refuse(error)
            else:
                messages.success(request, "The password is set. Sign in with it.")
                return HttpResponseRedirect(settings.LOGIN_URL)
    return render(
        request, "tenants/password_new.html", {"form": form, "username": user.username}, status=status
    )
