"""Signing in: the password, then the second factor where the account has one, then a session or tokens."""

from __future__ import annotations

from typing import Any

from django.contrib import auth
from django.http import HttpRequest

from gateway.db.scope import platform_scope
from gateway.errors import Unauthenticated
from gateway.metrics.series import SIGN_IN_FAILURES
from tenants import resolver
from tenants.models import SignIn, Tenant, User
from tenants.principal import Credential, Principal

from . import audit, sign_ins, throttle, token_families
from .second_factors import challenges, checking
from .second_factors.checking import Shown


class SecondFactorRequired(Unauthenticated):
    """The password was right. `challenge` is what to show the second factor with, by one of `methods`."""

    code = "second_factor_required"

    def __init__(self, challenge: str, methods: list[str]) -> None:
        super().__init__("The account has a second factor: show it with the challenge.")
        self.members = {
            "challenge": challenge,
            "methods": methods,
            "expires_in": challenges.LIFETIME_SECONDS,
        }


def check_password(username: str, password: str, *, request: HttpRequest) -> User:
    """The account of that name and password.

    Raises RateLimited, and Unauthenticated: one answer, after the same work, whatever is wrong.
    """
    ip = resolver.client_ip(request)
    attempt = throttle.attempt("password", username, ip)
    user = auth.authenticate(request, username=username, password=password)
    if not isinstance(user, User):
        _failed(username, ip, "password")
        raise Unauthenticated("The username or the password is wrong.", code="login_failed")
    attempt.succeeded()
    return user


def _failed(username: str, ip: str | None, step: str) -> None:
    """Note it in the log of the account's tenant. A name that is no account's may be a password: it is not kept."""
    SIGN_IN_FAILURES.labels(step).inc()
    with platform_scope("who signs in is not known yet"):
        user = User.objects.filter(username=username).first()
        try:
            home = sign_ins.home(user)
        except Tenant.DoesNotExist:
            return  # before the first start has made the platform's tenant there is no log
        nobody = Principal(None, home, "anonymous", frozenset(), Credential("session"), ip)
        target = user.username if user is not None else "(no such account)"
        audit.record(nobody, "tenants.user.sign_in_failed", target=target, after={"step": step})


def check_second_factor(challenge: str, shown: Shown, *, request: HttpRequest) -> tuple[User, str]:
    """Whose second factor was shown, and its kind. The challenge is spent by what is right.

    Raises Unauthenticated (`challenge_expired`, `second_factor_wrong`), RateLimited, Unavailable.
    """
    found = challenges.find(challenge)
    ip = resolver.client_ip(request)
    try:
        kind = checking.check(found.user, shown, found.signed, ip)
    except Unauthenticated:
        _failed(found.user.username, ip, "second_factor")
        raise
    challenges.spend(challenge)
    return found.user, kind


def tokens(username: str, password: str, *, request: HttpRequest) -> dict[str, Any]:
    """A pair of tokens. Raises Unauthenticated, SecondFactorRequired, RateLimited."""
    user = check_password(username, password, request=request)
    if methods := checking.methods(user):
        raise SecondFactorRequired(challenges.issue(user), methods)
    return token_families.begin(user, ip=resolver.client_ip(request), user_agent=_agent(request))


def tokens_by_second_factor(challenge: str, shown: Shown, *, request: HttpRequest) -> dict[str, Any]:
    """A pair of tokens for a challenge and what it asks. Raises as `check_second_factor`."""
    user, kind = check_second_factor(challenge, shown, request=request)
    return token_families.begin(
        user, ip=resolver.client_ip(request), user_agent=_agent(request), second_factor=kind
    )


def begin_session(request: HttpRequest, user: User, second_factor: str = "") -> None:
    """Give the browser a session of its own; one that it had ends."""
    end_session(request)
    with platform_scope("an account signs in, not yet a tenant"):
        auth.login(request, user)
    row = sign_ins.begin(
        user,
        SignIn.Kind.SESSION,
        ip=resolver.client_ip(request),
        user_agent=_agent(request),
        second_factor=second_factor,
        session_key=request.session.session_key or "",
    )
    request.session["sign_in"] = str(row.public_id)
    request.session.save()


def keep_session(request: HttpRequest, user: User) -> None:
    """Let the browser's own session go on after another password, under another key."""
    with platform_scope("a session is an account's, not a tenant's"):
        auth.update_session_auth_hash(request, user)
    _moved(request)


def renew_key(request: HttpRequest) -> None:
    """Give the browser's session another key, as whenever the person has shown more (ASVS 5.0, 7.2.4)."""
    request.session.cycle_key()
    _moved(request)


def _moved(request: HttpRequest) -> None:
    request.session.save()
    with platform_scope("a session is an account's, not a tenant's"):
        SignIn.objects.filter(public_id=request.session["sign_in"]).update(
            session_key=request.session.session_key or ""
        )


def end_session(request: HttpRequest) -> None:
    """Sign the browser out. One that is not signed in stays so."""
    row = sign_ins.live(str(request.session.get("sign_in", "")))
    if row is not None:
        actor = sign_ins.person(row.user, resolver.client_ip(request))
        sign_ins.end(row, SignIn.Reason.SIGNED_OUT, actor=actor)
    with platform_scope("a session is an account's, not a tenant's"):
        auth.logout(request)


def _agent(request: HttpRequest) -> str:
    return request.headers.get("User-Agent", "")
