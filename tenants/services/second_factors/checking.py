"""Whether what somebody shows beside the password is theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from gateway import crypto
from gateway.db.scope import platform_scope
from gateway.errors import Invalid, Unauthenticated
from tenants.models import SecondFactor, User
from tenants.services import throttle

from . import recovery, totp, webauthn

RECOVERY = "recovery_code"


@dataclass(frozen=True, slots=True)
class Shown:
    """One of: an app's code, a recovery code, a security key's answer as the browser gives it."""

    code: str = ""
    recovery_code: str = ""
    webauthn: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """Raises Invalid unless it is exactly one."""
        if sum((bool(self.code), bool(self.recovery_code), self.webauthn is not None)) != 1:
            raise Invalid("Send one of code, recovery_code and webauthn.", code="invalid")


def methods(user: User) -> list[str]:
    """How the account can show a second factor; empty where it has none."""
    with platform_scope("second factors are an account's"):
        kinds = set(_confirmed(user).values_list("kind", flat=True))
        return sorted(kinds) + ([RECOVERY] if kinds and recovery.left(user) else [])


def check(user: User, shown: Shown, signed: bytes, ip: str | None) -> str:
    """The kind of the factor that was shown; nothing shown is taken twice.

    `signed` is the challenge that a security key had to sign. Raises Unauthenticated (`second_factor_wrong`: the same
    for what is wrong, used already, and somebody else's), RateLimited.
    """
    attempt = throttle.attempt("second_factor", user.username, ip)
    with platform_scope("second factors are an account's"), transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # of two at once with one code, one passes
        kind = _kind(user, shown, signed)
    if not kind:
        raise Unauthenticated("The second factor is wrong, or was used already.", code="second_factor_wrong")
    attempt.succeeded()
    return kind


def _kind(user: User, shown: Shown, signed: bytes) -> str:
    if shown.recovery_code:
        return RECOVERY if recovery.spend(user, shown.recovery_code) else ""
    if shown.webauthn is not None:
        wanted = webauthn.named(shown.webauthn)
        factor = _confirmed(user).filter(kind=SecondFactor.Kind.WEBAUTHN, credential_id=wanted).first()
        counter = webauthn.counter_of(shown.webauthn, signed, factor) if factor is not None else None
        return _used(factor, counter)
    for factor in _confirmed(user).filter(kind=SecondFactor.Kind.TOTP):
        if kind := _used(factor, totp.step_of(secret_of(factor), shown.code, after=factor.counter)):
            return kind
    return ""


def _used(factor: SecondFactor | None, counter: int | None) -> str:
    if factor is None or counter is None:
        return ""
    factor.counter, factor.last_used_at = counter, timezone.now()
    factor.save(update_fields=["counter", "last_used_at"])
    return str(factor.kind)


def secret_of(factor: SecondFactor) -> str:
    """The secret of an app. Raises crypto.CannotOpen."""
    return crypto.open_sealed(bytes(factor.sealed), factor.place).decode()


def _confirmed(user: User) -> Any:
    return SecondFactor.objects.filter(user=user, confirmed_at__isnull=False)
