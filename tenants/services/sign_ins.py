"""Sign-ins: begun, seen, ended. Who is signed in where, and for how long."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from rest_framework_simplejwt.settings import api_settings

from gateway.db.scope import platform_scope
from gateway.errors import Forbidden, NotFound
from realtime import services as realtime
from tenants.models import PLATFORM_SLUG, Membership, SecondFactor, SignIn, Tenant, User
from tenants.principal import Credential, Principal

from . import audit, snapshot

SEEN_EVERY = timedelta(minutes=1)
CONFIRMED_FOR = timedelta(minutes=10)
"""How long the password counts as entered just now, for what changes how one signs in."""
KEPT_FOR = timedelta(days=90)
"""How long an ended sign-in stays in the list."""
_SWEPT_AT_ONCE = 1000


def begin(
    user: User,
    kind: SignIn.Kind,
    *,
    ip: str | None,
    user_agent: str,
    second_factor: str = "",
    session_key: str = "",
    refresh_id: str = "",
) -> SignIn:
    """A new sign-in of somebody who has just shown who they are; audited and told in their home tenant."""
    with platform_scope("an account signs in, not yet a tenant"), transaction.atomic():
        row = SignIn.objects.create(
            user=user, kind=kind, ip=ip, user_agent=_printable(user_agent), second_factor=second_factor,
            session_key=session_key, refresh_id=refresh_id,
        )  # fmt: skip
        User.objects.filter(pk=user.pk).update(last_login=row.created_at)
        actor = person(user, ip, kind)
        known = SignIn.objects.filter(user=user, ip=ip).exclude(pk=row.pk).exists()
        after = {"kind": kind, "second_factor": second_factor, "user_agent": row.user_agent}
        audit.record(actor, "tenants.user.sign_in", target=user.username, after=after)
        realtime.publish(
            actor.tenant.pk,
            "tenants.user.signed_in",
            subject=user.username,
            data={"kind": kind, "second_factor": second_factor, "new_address": not known},
            actor=actor,
        )
    return row


def person(user: User, ip: str | None, kind: SignIn.Kind = SignIn.Kind.SESSION) -> Principal:
    """Somebody at the door, whom nothing is permitted yet, in the tenant that their own affairs are told in."""
    credential = Credential("session" if kind == SignIn.Kind.SESSION else "jwt")
    with platform_scope("which tenants a user is in is asked across tenants"):
        return Principal(user, home(user), "", frozenset(), credential, ip)


def home(user: User | None) -> Tenant:
    """The tenant whose log a person's own affairs go to: the default one, else the oldest, else the platform's.

    Call within platform_scope.
    """
    members = Membership.objects.select_related("tenant").filter(user=user)
    first = members.order_by("-is_active", "-is_default", "pk").first() if user is not None else None
    return first.tenant if first is not None else Tenant.objects.get(slug=PLATFORM_SLUG)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:300]


def lasting(now: datetime) -> Q:
    """Sign-ins that time has not ended: docs/operations.md, SESSION_IDLE_MINUTES and SESSION_MAX_DAYS."""
    young = Q(created_at__gt=now - timedelta(days=settings.SESSION_MAX_DAYS))
    seen = Q(last_seen_at__gt=now - timedelta(minutes=settings.SESSION_IDLE_MINUTES))
    return young & (seen | Q(kind=SignIn.Kind.TOKENS))


def live(public_id: str, *, seen: bool = False) -> SignIn | None:
    """The sign-in of that id with its account, unless either has ended: one look by a unique index.

    With `seen`, the sign-in is noted to be in use now, to the minute.
    """
    try:
        wanted = uuid.UUID(public_id)
    except ValueError:
        return None
    now = timezone.now()
    with platform_scope("a sign-in is an account's, not a tenant's"):
        rows = SignIn.objects.select_related("user").filter(lasting(now), ended_at=None, user__is_active=True)
        row = rows.filter(public_id=wanted).first()
        if row is not None and seen and now - row.last_seen_at >= SEEN_EVERY:
            SignIn.objects.filter(pk=row.pk).update(last_seen_at=now)
    return row


def of_session(session: SessionBase, user: User, ip: str | None, user_agent: str) -> SignIn | None:
    """The live sign-in of a browser's session. One that was begun without (before there were any) gets its own."""
    given = session.get("sign_in")
    if given is not None:
        row = live(str(given), seen=True)
        return row if row is not None and row.user_id == user.pk else None
    with platform_scope("a session is an account's, not a tenant's"), transaction.atomic():
        if session.session_key is None:
            session.save()
        row = SignIn.objects.create(
            user=user, kind=SignIn.Kind.SESSION, ip=ip, user_agent=_printable(user_agent),
            session_key=session.session_key or "",
        )  # fmt: skip
        session["sign_in"] = str(row.public_id)
        session.save()
    return row


def of_actor(actor: Principal) -> SignIn:
    """The sign-in that the caller's session or token is of. Raises Forbidden for keys: a person must be there."""
    row = live(actor.credential.sign_in) if actor.credential.sign_in else None
    if row is None or actor.user is None or row.user_id != actor.user.pk:
        raise Forbidden("This is for somebody who is signed in; a key cannot do it.", code="sign_in_needed")
    return row


def mine(actor: Principal) -> QuerySet[SignIn]:
    """The caller's own sign-ins that last, the latest seen first. Evaluate within platform_scope."""
    rows = SignIn.objects.filter(lasting(timezone.now()), user=actor.user, ended_at=None)
    return rows.order_by("-last_seen_at", "-pk")


def one_of(public_id: uuid.UUID, *, actor: Principal) -> SignIn:
    """One of the caller's own sign-ins, ended or not. Raises NotFound."""
    with platform_scope("a sign-in is an account's, not a tenant's"):
        row = SignIn.objects.select_related("user").filter(public_id=public_id, user=actor.user).first()
    if row is None:
        raise NotFound("No such sign-in.")
    return row


def end(row: SignIn, reason: SignIn.Reason, *, actor: Principal) -> None:
    """End one's own sign-in, or anybody's as platform staff. Asking again changes nothing. Raises Forbidden."""
    if actor.user is None or row.user_id != actor.user.pk:
        actor.require("platform.tenants")
    with platform_scope("a sign-in is an account's, not a tenant's"):
        end_rows(SignIn.objects.filter(pk=row.pk), row.user, reason, actor=actor)


def end_all(user: User, reason: SignIn.Reason, *, actor: Principal, keep: str = "") -> int:
    """End all sign-ins of an account but the one with the public id `keep`; how many there were.

    The caller has checked that `actor` may.
    """
    with platform_scope("a sign-in is an account's, not a tenant's"):
        rows = SignIn.objects.filter(user=user)
        return end_rows(rows.exclude(public_id=keep) if keep else rows, user, reason, actor=actor)


def end_rows(rows: QuerySet[SignIn], user: User, reason: SignIn.Reason, *, actor: Principal) -> int:
    """End those of an account's sign-ins that have not ended. Call within platform_scope."""
    with transaction.atomic():
        chosen = list(rows.filter(ended_at=None).order_by("pk").select_for_update(of=("self",)))
        if not chosen:
            return 0
        SignIn.objects.filter(pk__in=[row.pk for row in chosen]).update(
            ended_at=timezone.now(), reason=reason, refresh_id=""
        )
        Session.objects.filter(session_key__in=[r.session_key for r in chosen if r.session_key]).delete()
        told = {"reason": str(reason), "count": len(chosen)}
        tenant = home(user)
        audit.record(actor, "tenants.sign_in.end", target=user.username, tenant=tenant, after=told)
        snapshot.changed("sign_ins")
        data: dict[str, object] = dict(told)
        realtime.publish(tenant.pk, "tenants.sign_in.ended", subject=user.username, data=data, actor=actor)
    return len(chosen)


def sign_out_everywhere(user: User, *, actor: Principal) -> int:
    """Platform staff end all sign-ins of an account; its keys stay. Raises Forbidden."""
    actor.require("platform.tenants")
    return end_all(user, SignIn.Reason.ENDED_BY_STAFF, actor=actor)


def step_up(row: SignIn, second_factor: str, *, actor: Principal) -> None:
    """Note that the person has now shown a second factor too."""
    with platform_scope("a sign-in is an account's, not a tenant's"), transaction.atomic():
        SignIn.objects.filter(pk=row.pk).update(second_factor=second_factor)
        after = {"second_factor": second_factor}
        audit.record(actor, "tenants.sign_in.step_up", target=row.user.username, after=after)
        snapshot.changed("sign_ins")


def confirm(row: SignIn) -> None:
    """Note that the person has just entered the password again."""
    with platform_scope("a sign-in is an account's, not a tenant's"):
        SignIn.objects.filter(pk=row.pk).update(confirmed_at=timezone.now())


def is_confirmed(row: SignIn) -> bool:
    return timezone.now() - row.confirmed_at < CONFIRMED_FOR


def require_confirmed(actor: Principal) -> SignIn:
    """The caller's sign-in, where the password was entered lately, and a second factor shown if the account has one.

    Else a session from before there was one, whoever has it, would take it away with the password alone.
    Raises Forbidden (`password_needed`, `second_factor_required`).
    """
    row = of_actor(actor)
    if not row.second_factor and _has_second_factor(row.user):
        raise Forbidden("Show your second factor first: sign in with it.", code="second_factor_required")
    if not is_confirmed(row):
        raise Forbidden("Enter your password again first.", code="password_needed")
    return row


def _has_second_factor(user: User) -> bool:
    with platform_scope("second factors are an account's"):
        return SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).exists()


def tidy() -> None:
    """Close sign-ins that time has ended, and forget those that ended long ago. May run again at any time."""
    now = timezone.now()
    with platform_scope("sign-ins are accounts', not tenants'"):
        over = SignIn.objects.filter(~lasting(now), ended_at=None)
        idle = SignIn.objects.filter(
            kind=SignIn.Kind.TOKENS,
            ended_at=None,
            last_seen_at__lt=now - api_settings.REFRESH_TOKEN_LIFETIME,
        )
        for rows in (over, idle):
            while keys := list(rows.values_list("pk", "session_key")[:_SWEPT_AT_ONCE]):
                with transaction.atomic():
                    SignIn.objects.filter(pk__in=[pk for pk, _ in keys], ended_at=None).update(
                        ended_at=now, reason=SignIn.Reason.EXPIRED, refresh_id=""
                    )
                    Session.objects.filter(session_key__in=[key for _, key in keys if key]).delete()
        SignIn.objects.filter(ended_at__lt=now - KEPT_FOR).delete()
