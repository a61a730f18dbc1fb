"""Pages where one adds and removes second factors."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from uuid import UUID

import segno
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.debug import sensitive_post_parameters

from gateway.errors import DomainError, Forbidden, NotFound
from gateway.ui import PageRequest, page, show
from tenants.forms.account import ConfirmFactorForm, NewFactorForm
from tenants.models import SecondFactor
from tenants.services import sign_ins
from tenants.services.second_factors import factors
from tenants.services.second_factors.factors import Begun

from .account import NOT_CONFIRMED, ask_password

P = ParamSpec("P")
View = Callable[Concatenate[PageRequest, P], HttpResponse]
_TAB = "account-second-factor"


def _with_password(view: View[P]) -> View[P]:
    """Have the password entered again first, where that was long ago, or the second factor shown."""

    @wraps(view)
    def asked(request: PageRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except Forbidden as error:
            if error.code not in NOT_CONFIRMED:
                raise
            back = request.get_full_path() if request.method in ("GET", "HEAD") else reverse(_TAB)
            return ask_password(request, error, back)

    return cast("View[P]", asked)


@page(account=True)
def overview(request: PageRequest) -> HttpResponse:
    """What one shows beside the password."""
    return _list(request)


def _list(request: PageRequest, *, refused: DomainError | None = None, done: str = "") -> HttpResponse:
    caller = request.principal
    assert caller.user is not None
    context = {
        "factors": factors.of_account(caller.user),
        "codes_left": factors.codes_left(caller.user),
        "refused": refused,
        "tab": _TAB,
    }
    status = 422 if refused else 200
    part = "tenants/_second_factors.html"
    return show(request, "tenants/second_factors.html", context, part=part, status=status, done=done)


@page(methods=("GET", "HEAD", "POST"), account=True)
@_with_password
def new(request: PageRequest, kind: str) -> HttpResponse:
    """Name an app or a key; then it is confirmed."""
    sign_ins.require_confirmed(request.principal)
    if kind not in SecondFactor.Kind.values:
        raise NotFound("There is no such kind of second factor.")
    form = NewFactorForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        verb = factors.begin_totp if kind == SecondFactor.Kind.TOTP else factors.begin_webauthn
        try:
            begun = verb(form.cleaned_data["name"], actor=request.principal)
            return redirect("confirm-second-factor", begun.factor.public_id)
        except DomainError as error:
            form.refuse(error)
    context = {"form": form, "kind": kind, "tab": _TAB}
    status = 422 if form.errors else 200
    return show(request, "tenants/second_factor_new.html", context, status=status)


@sensitive_post_parameters("code", "webauthn")
@page(methods=("GET", "HEAD", "POST"), account=True)
@_with_password
def confirm(request: PageRequest, public_id: UUID) -> HttpResponse:
    """Scan and enter a code, or touch the key. With the first factor, recovery codes are shown, this once."""
    caller = request.principal
    begun = factors.unconfirmed(public_id, actor=caller)
    form = ConfirmFactorForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            codes = factors.confirm(
                public_id, code=values["code"], credential=values["webauthn"], actor=caller
            )
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"{begun.factor.name} is added.")
            if codes:
                return _codes(request, codes)
            return redirect(_TAB)
    context = {"begun": begun, "form": form, "qr": _qr(begun), "tab": _TAB}
    status = 422 if form.errors else 200
    return show(request, "tenants/second_factor_confirm.html", context, status=status)


def _qr(begun: Begun) -> str:
    """The address that an app scans, as a picture in the page: it is nobody else's to draw."""
    if not begun.uri:
        return ""
    code = segno.make(begun.uri, error="m", micro=False)
    drawn: str = code.svg_inline(scale=4, border=4, dark="#000", light="#fff", svgclass="qr", lineclass=None)
    return mark_safe(drawn)  # noqa: S308  made of numbers alone


@page(methods=("POST",), account=True)
@_with_password
def remove(request: PageRequest, public_id: UUID) -> HttpResponse:
    try:
        factors.remove(public_id, actor=request.principal)
    except (Forbidden, NotFound):
        raise
    except DomainError as error:
        return _list(request, refused=error)
    return _list(request, done="It is removed.")


@page(methods=("POST",), account=True)
@_with_password
def recovery_codes(request: PageRequest) -> HttpResponse:
    """New ones, shown this once."""
    return _codes(request, factors.new_codes(actor=request.principal))


def _codes(request: PageRequest, codes: list[str]) -> HttpResponse:
    return show(request, "tenants/recovery_codes.html", {"codes": "\n".join(codes), "tab": _TAB})
