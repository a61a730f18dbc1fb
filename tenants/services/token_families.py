"""Tokens of a sign-in: had, renewed, and ended together (a family).

Refresh tokens are rotated with reuse detection (RFC 9700, section 4.14.2): a spent one that comes again was copied, and
nobody can tell whose copy it is, so the whole family ends. There is no grace period, which would be the thief's too: a
client that lost the answer to its refresh signs in again.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from rest_framework_simplejwt import tokens as simplejwt
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings

from gateway.db.scope import platform_scope
from gateway.errors import Unauthenticated
from tenants import resolver
from tenants.models import SignIn, User
from tenants.principal import Principal
from tenants.tokens import RefreshToken

from . import sign_ins


def begin(user: User, *, ip: str | None, user_agent: str, second_factor: str = "") -> dict[str, Any]:
    """The first pair of tokens of a new sign-in."""
    refresh = RefreshToken.for_user(user)
    row = sign_ins.begin(
        user, SignIn.Kind.TOKENS, ip=ip, user_agent=user_agent, second_factor=second_factor,
        refresh_id=str(refresh["jti"]),
    )  # fmt: skip
    return _pair(refresh, row)


def renew(row: SignIn) -> dict[str, Any]:
    """A new pair, the refresh token before being spent. Call with the row locked, within platform_scope."""
    refresh = RefreshToken.for_user(row.user)
    row.refresh_id, row.last_seen_at = str(refresh["jti"]), timezone.now()
    row.save(update_fields=["refresh_id", "last_seen_at"])
    return _pair(refresh, row)


def renew_for(actor: Principal) -> dict[str, Any]:
    """A new pair of the caller's own family, as after another password. Raises Unauthenticated."""
    with platform_scope("a token names an account, not yet a tenant"), transaction.atomic():
        rows = SignIn.objects.select_related("user").select_for_update(of=("self",))
        row = rows.filter(public_id=actor.credential.sign_in, ended_at=None).first()
        if row is None:
            raise Unauthenticated("The sign-in has ended.")
        return renew(row)


def _pair(refresh: simplejwt.RefreshToken, row: SignIn) -> dict[str, Any]:
    refresh["sid"] = str(row.public_id)
    return {
        "access": str(refresh.access_token),
        "refresh": str(refresh),
        "expires_in": int(api_settings.ACCESS_TOKEN_LIFETIME.total_seconds()),
        "token_type": "Bearer",
    }


def refresh(text: str, *, ip: str | None) -> dict[str, Any]:
    """A new pair for a refresh token, which is spent by it.

    Raises Unauthenticated; `refresh_reused` where this ended the family.
    """
    with platform_scope("a token names an account, not yet a tenant"), transaction.atomic():
        row, jti = _family(text)
        if row.refresh_id == jti:
            return renew(row)
        actor = sign_ins.person(row.user, ip, SignIn.Kind.TOKENS)
        sign_ins.end_rows(
            SignIn.objects.filter(pk=row.pk), row.user, SignIn.Reason.REFRESH_REUSED, actor=actor
        )
    raise Unauthenticated("The refresh token was used before; its sign-in has ended.", code="refresh_reused")


def _family(text: str) -> tuple[SignIn, str]:
    """The live family of a refresh token, locked, and the token's id. Raises Unauthenticated."""
    try:
        token = RefreshToken(text)  # type: ignore[arg-type]
        sid, jti, subject = str(token["sid"]), str(token["jti"]), str(token["sub"])
        password = str(token[api_settings.REVOKE_TOKEN_CLAIM])
    except (TokenError, KeyError):
        raise Unauthenticated(_REFUSED) from None
    found = sign_ins.live(sid)
    if found is None or found.kind != SignIn.Kind.TOKENS or str(found.user.public_id) != subject:
        raise Unauthenticated(_REFUSED)
    if not resolver.is_password_of(found.user, password):
        raise Unauthenticated(_REFUSED)
    rows = SignIn.objects.select_related("user").select_for_update(of=("self",))
    locked = rows.filter(pk=found.pk, ended_at=None).first()
    if locked is None:
        raise Unauthenticated(_REFUSED)
    return locked, jti


_REFUSED = "The refresh token is not valid, or no longer."


def end(text: str, *, ip: str | None) -> None:
    """End the family of a refresh token, spent or not. One that is not valid has ended already."""
    with platform_scope("a token names an account, not yet a tenant"), transaction.atomic():
        try:
            row, _ = _family(text)
        except Unauthenticated:
            return
        actor = sign_ins.person(row.user, ip, SignIn.Kind.TOKENS)
        sign_ins.end(row, SignIn.Reason.SIGNED_OUT, actor=actor)
