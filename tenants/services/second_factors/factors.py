"""Second factors: added, confirmed, removed, reset. Only somebody who entered the password lately changes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from gateway import crypto
from gateway.db.scope import platform_scope
from gateway.errors import Conflict, Invalid, NotFound
from gateway.validation import validated
from realtime import services as realtime
from tenants.models import Membership, RecoveryCode, SecondFactor, SignIn, TenantSettings, User
from tenants.principal import Principal
from tenants.services import audit, sign_ins, snapshot, throttle

from . import recovery, totp, webauthn
from .checking import secret_of

MOST = 10
UNCONFIRMED_FOR = timedelta(minutes=15)
_WHY = "second factors are an account's"


@dataclass(frozen=True, slots=True)
class Begun:
    """A factor that waits to be confirmed: an app's secret and its address, or what the browser asks a key."""

    factor: SecondFactor
    secret: str = field(default="", repr=False)
    uri: str = field(default="", repr=False)
    options: dict[str, Any] | None = None


def of_account(user: User) -> list[SecondFactor]:
    """Those that count."""
    with platform_scope(_WHY):
        return list(SecondFactor.objects.filter(user=user, confirmed_at__isnull=False))


def codes_left(user: User) -> int:
    with platform_scope(_WHY):
        return recovery.left(user)


def begin_totp(name: str, *, actor: Principal) -> Begun:
    """An app that counts once a code of it is shown. Raises Forbidden, Invalid, Conflict."""
    user = _changing(actor)
    secret = totp.new_secret()
    factor = SecondFactor(user=user, kind=SecondFactor.Kind.TOTP, name=name.strip())
    factor.sealed = crypto.seal(secret.encode(), factor.place)
    _save_unconfirmed(factor)
    return Begun(factor, secret, totp.uri(secret, user.username, settings.PUBLIC_HOST))


def begin_webauthn(name: str, *, actor: Principal) -> Begun:
    """A security key that counts once it has signed. Raises Forbidden, Invalid, Conflict."""
    user = _changing(actor)
    challenge = webauthn.new_challenge()
    factor = SecondFactor(user=user, kind=SecondFactor.Kind.WEBAUTHN, name=name.strip())
    factor.sealed = crypto.seal(challenge, factor.place)
    _save_unconfirmed(factor)
    options = webauthn.creation_options(user, challenge, of_account(user))
    return Begun(factor, options=options)


def _changing(actor: Principal) -> User:
    sign_ins.require_confirmed(actor)
    assert actor.user is not None
    return actor.user


def _save_unconfirmed(factor: SecondFactor) -> None:
    validated(factor, exclude=("user",))
    with platform_scope(_WHY), transaction.atomic():
        User.objects.select_for_update().get(pk=factor.user_id)
        if SecondFactor.objects.filter(user=factor.user, confirmed_at__isnull=False).count() >= MOST:
            raise Conflict(f"An account has at most {MOST} second factors.")
        SecondFactor.objects.filter(user=factor.user, confirmed_at=None).delete()
        factor.save()


def unconfirmed(public_id: UUID, *, actor: Principal) -> Begun:
    """One's own factor that waits to be confirmed. Raises Forbidden, NotFound once it is too old."""
    user = _changing(actor)
    with platform_scope(_WHY):
        found = _waiting(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such second factor to confirm; begin again.")
    if found.kind == SecondFactor.Kind.TOTP:
        secret = secret_of(found)
        return Begun(found, secret, totp.uri(secret, user.username, settings.PUBLIC_HOST))
    challenge = crypto.open_sealed(bytes(found.sealed), found.place)
    return Begun(found, options=webauthn.creation_options(user, challenge, of_account(user)))


def _waiting(user: User) -> QuerySet[SecondFactor]:
    since = timezone.now() - UNCONFIRMED_FOR
    return SecondFactor.objects.filter(user=user, confirmed_at=None, created_at__gt=since)


def confirm(
    public_id: UUID, *, code: str = "", credential: dict[str, Any] | None = None, actor: Principal
) -> list[str]:
    """Let a factor count, by a code of the app or the key's answer; the sign-in counts as made with it.

    Returns recovery codes, which are shown this once, with the first factor; else none. Raises Forbidden, NotFound,
    Invalid (`second_factor_wrong`), Conflict for a key of any account, RateLimited.
    """
    user = _changing(actor)
    attempt = throttle.attempt("second_factor", user.username, actor.ip)
    with platform_scope(_WHY), transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        factor = _waiting(user).filter(public_id=public_id).first()
        if factor is None:
            raise NotFound("There is no such second factor to confirm; begin again.")
        _show(factor, code, credential)
        is_first = not SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).exists()
        factor.confirmed_at = factor.last_used_at = timezone.now()
        try:
            with transaction.atomic():
                factor.save()
        except IntegrityError:
            raise Conflict("This security key is in use already.") from None
        SignIn.objects.filter(public_id=actor.credential.sign_in, user=user).update(second_factor=factor.kind)
        codes = recovery.issue(user) if is_first else []
        _tell(user, "add", "added", factor, actor)
    attempt.succeeded()
    return codes


def _show(factor: SecondFactor, code: str, credential: dict[str, Any] | None) -> None:
    """Raises Invalid."""
    wrong = "The code is wrong; the clock of the device must be right."
    if factor.kind == SecondFactor.Kind.TOTP:
        step = totp.step_of(secret_of(factor), code, after=factor.counter)
        if step is None:
            raise Invalid(wrong, code="second_factor_wrong", errors={"code": [wrong]})
        factor.counter = step
        return
    challenge = crypto.open_sealed(bytes(factor.sealed), factor.place)
    key = webauthn.created(credential, challenge) if credential is not None else None
    if key is None:
        wrong = "The security key's answer does not fit what it was asked."
        raise Invalid(wrong, code="second_factor_wrong", errors={"webauthn": [wrong]})
    factor.sealed = b""
    factor.credential_id, factor.public_key = key.credential_id, key.public_key
    factor.counter, factor.transports = key.counter, key.transports


def remove(public_id: UUID, *, actor: Principal) -> None:
    """Take one's own factor away; with the last one the recovery codes go too.

    Raises Forbidden, NotFound, Conflict (`second_factor_needed`) for the last one where a tenant requires one.
    """
    user = _changing(actor)
    with platform_scope(_WHY), transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        rows = SecondFactor.objects.filter(user=user, confirmed_at__isnull=False)
        factor = rows.filter(public_id=public_id).first()
        if factor is None:
            raise NotFound("No such second factor.")
        if rows.count() == 1:
            if tenant := _requiring(user):
                raise Conflict(
                    f"{tenant} requires a second factor: add another before you remove this one.",
                    code="second_factor_needed",
                )
            _forget(user)
        factor.delete()
        _tell(user, "remove", "removed", factor, actor)


def _requiring(user: User) -> str:
    """The name of a tenant that requires one of the account."""
    members = Membership.objects.filter(user=user, is_active=True).values("tenant")
    found = TenantSettings.objects.filter(tenant__in=members, require_second_factor=True)
    return str(found.values_list("tenant__name", flat=True).first() or "")


def _forget(user: User) -> None:
    """What hangs on there being a factor: the codes, and that sign-ins were made with one."""
    RecoveryCode.objects.filter(user=user).delete()
    SignIn.objects.filter(user=user, ended_at=None).update(second_factor="")


def new_codes(*, actor: Principal) -> list[str]:
    """Recovery codes in place of those before, shown this once. Raises Forbidden, Conflict without a factor."""
    user = _changing(actor)
    with platform_scope(_WHY), transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        if not SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).exists():
            raise Conflict("Recovery codes come with a second factor: add one first.")
        codes = recovery.issue(user)
        _tell(user, "replace_codes", "updated", None, actor)
    return codes


def reset(user: User, *, actor: Principal) -> None:
    """Platform staff take all factors of somebody away who has lost them, and end their sign-ins. Raises Forbidden."""
    actor.require("platform.tenants")
    with platform_scope(_WHY), transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        count, _ = SecondFactor.objects.filter(user=user).delete()
        _forget(user)
        sign_ins.end_all(user, SignIn.Reason.ENDED_BY_STAFF, actor=actor)
        _tell(user, "reset", "reset", None, actor, count=count)


def tidy() -> None:
    """Forget factors that nobody confirmed."""
    with platform_scope(_WHY):
        SecondFactor.objects.filter(
            confirmed_at=None, created_at__lt=timezone.now() - UNCONFIRMED_FOR
        ).delete()


def _tell(
    user: User, verb: str, event: str, factor: SecondFactor | None, actor: Principal, **more: object
) -> None:
    told: dict[str, object] = {"kind": factor.kind, "name": factor.name} if factor is not None else {}
    told |= more
    tenant = sign_ins.home(user)
    audit.record(actor, f"tenants.second_factor.{verb}", target=user.username, tenant=tenant, after=told)
    snapshot.changed("sign_ins")
    realtime.publish(
        tenant.pk, f"tenants.second_factor.{event}", subject=user.username, data=told, actor=actor
    )
