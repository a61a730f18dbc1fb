"""One's own account: name, address, password."""

from __future__ import annotations

from django.db import transaction

from gateway.db.scope import platform_scope
from gateway.errors import Forbidden, Invalid
from gateway.validation import validated
from realtime import services as realtime
from tenants.models import Membership, SignIn, User
from tenants.principal import Principal

from . import accounts, audit, sign_ins, snapshot, throttle

_WHY = "accounts are known platform-wide"


def update(*, name: str | None = None, email: str | None = None, actor: Principal) -> User:
    """Change what one is called and reached by. Asking again changes nothing.

    Another address asks for the password entered lately, for links that set passwords go there.
    Raises Forbidden, Invalid by field, Conflict where another member of a tenant has the address.
    """
    row = sign_ins.of_actor(actor)
    with platform_scope(_WHY), transaction.atomic():
        user = User.objects.select_for_update().get(pk=row.user_id)
        wanted = {"name": name, "email": email}
        changed = {k: v for k, v in wanted.items() if v is not None and v != getattr(user, k)}
        if not changed:
            return user
        before = {field: getattr(user, field) for field in changed}
        for field, value in changed.items():
            setattr(user, field, value)
        validated(user, exclude=("password",))
        if "email" in changed:
            sign_ins.require_confirmed(actor)
            for membership in Membership.objects.select_related("tenant").filter(user=user):
                accounts.check_email(membership.tenant, user)
        user.save(update_fields=list(changed))
        tenant = sign_ins.home(user)
        audit.record(
            actor, "tenants.user.update", target=user.username, tenant=tenant, before=before, after=changed
        )
        snapshot.changed("members")
        realtime.publish(
            tenant.pk,
            "tenants.user.updated",
            subject=user.username,
            data={"changed": sorted(changed)},
            actor=actor,
        )
    return user


def change_password(current: str, text: str, *, actor: Principal) -> User:
    """Give oneself another password; all other sign-ins end.

    The caller's own goes on: its door renews the session's hash, or its tokens, which are bound to the password.
    Raises Forbidden, Invalid (`password_wrong`, or by the password rules), RateLimited.
    """
    row = sign_ins.of_actor(actor)
    _check(row.user, current, "current_password", actor)
    accounts.check_password_rules(text, row.user)
    with platform_scope(_WHY), transaction.atomic():
        user = User.objects.select_for_update().get(pk=row.user_id)
        user.set_password(text)
        user.save(update_fields=["password"])
        sign_ins.confirm(row)
        audit.record(actor, "tenants.user.change_password", target=user.username, tenant=sign_ins.home(user))
        sign_ins.end_all(user, SignIn.Reason.PASSWORD_CHANGED, actor=actor, keep=actor.credential.sign_in)
        snapshot.changed("sign_ins")
        realtime.publish(
            sign_ins.home(user).pk,
            "tenants.user.updated",
            subject=user.username,
            data={"password": "changed"},
            actor=actor,
        )
    return user


def confirm_password(password: str, *, actor: Principal) -> None:
    """Enter the password again, for what asks for that. Raises Forbidden, Invalid (`password_wrong`), RateLimited."""
    row = sign_ins.of_actor(actor)
    _check(row.user, password, "password", actor)
    sign_ins.confirm(row)


def _check(user: User, password: str, field: str, actor: Principal) -> None:
    attempt = throttle.attempt("password", user.username, actor.ip)
    if not user.has_usable_password():
        raise Forbidden("The account has no password.", code="no_password")
    with platform_scope(_WHY):
        right = user.check_password(password)
    if not right:
        raise Invalid(
            "The password is wrong.", code="password_wrong", errors={field: ["The password is wrong."]}
        )
    attempt.succeeded()
