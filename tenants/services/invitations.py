"""Invitations by e-mail: made, sent again, revoked, and accepted by whoever holds the link.

Whoever invites learns nothing about who has an account: the same mail goes to anybody, and only the link's bearer
says whether they come with an account or make one.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.utils import timezone

from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Conflict, Forbidden, Gone, Invalid, NotFound, QuotaExceeded
from gateway.validation import validated
from tenants.models import Invitation, Membership, Tenant, User
from tenants.principal import Credential, Principal

from . import accounts, audit, mail, quotas, telling, users

VALID_FOR = timedelta(days=7)
LONGEST = timedelta(days=30)
MOST_PENDING = 200
_KIND = "invitation"


def invite(
    tenant: Tenant, email: str, *, role: str = "member", name: str = "", expires_at: datetime | None = None,
    actor: Principal,
) -> Invitation:  # fmt: skip
    """Ask somebody into the tenant; a mail with a link that works once goes out after the commit.

    Raises Forbidden (also for a role that holds more than the actor does), Invalid (fields, an expiry in the past or
    more than LONGEST ahead), Conflict where the address is a member's or has a pending invitation, RateLimited where
    it had many letters, QuotaExceeded beyond MOST_PENDING; the tenant's limit of users counts when one is accepted.
    """
    actor.require("user.write")
    expires_at = _expiry(expires_at)
    token = secrets.token_urlsafe(32)
    invitation = Invitation(
        tenant=tenant, email=email, name=name, token_digest=_digest(token), invited_by=actor.label,
        expires_at=expires_at,
    )  # fmt: skip
    validated(invitation, exclude=("tenant", "role"))
    with tenant_scope(tenant.pk), transaction.atomic():
        quotas.lock(tenant.pk)
        invitation.role = users.role_for(tenant, role, actor)
        if Membership.objects.filter(tenant=tenant, user__email__iexact=email).exists():
            raise Conflict(f"{email} is a member's.", errors={"email": ["A member has this address."]})
        now = timezone.now()
        pending = Invitation.objects.filter(tenant=tenant, accepted_at=None, revoked_at=None)
        pending.filter(expires_at__lte=now, email__iexact=email).update(revoked_at=now)
        if pending.filter(expires_at__gt=now).count() >= MOST_PENDING:
            raise QuotaExceeded(f"A tenant has at most {MOST_PENDING} pending invitations.")
        try:
            with transaction.atomic():
                invitation.save()
        except IntegrityError:
            text = "Invited already: send the invitation again, or revoke it."
            raise Conflict(text, code="invited_already", errors={"email": [text]}) from None
        _send(invitation, token)
        after = {"email": email, "role": role, "name": name, "expires_at": expires_at.isoformat()}
        audit.record(actor, "tenants.invitation.create", target=email, tenant=tenant, after=after)
        _tell(invitation, "created", actor)
    return invitation


def get_invitation(public_id: Any, *, actor: Principal) -> Invitation:
    """An invitation of the tenant acted in. Raises NotFound."""
    rows = Invitation.objects.visible_to(actor).select_related("role", "tenant")
    invitation: Invitation | None = rows.filter(public_id=public_id).first()
    if invitation is None:
        raise NotFound("No such invitation.")
    return invitation


def resend(invitation: Invitation, *, actor: Principal) -> Invitation:
    """Send a new link, which is valid as long as a new invitation's; the one sent before ends.

    Raises Forbidden, also where the role is not the actor's to give; Conflict for an invitation that was accepted or
    revoked; RateLimited.
    """
    actor.require("user.write")
    with tenant_scope(invitation.tenant_id), transaction.atomic():
        quotas.lock(invitation.tenant_id)
        invitation = _locked(invitation.pk)
        if invitation.accepted_at is not None or invitation.revoked_at is not None or invitation.role is None:
            raise Conflict(f"The invitation is {invitation.state}: make a new one.", code="invitation_closed")
        users.role_for(invitation.tenant, invitation.role.slug, actor)
        token = secrets.token_urlsafe(32)
        invitation.token_digest, invitation.expires_at = _digest(token), _expiry(None)
        invitation.save(update_fields=["token_digest", "expires_at"])
        _send(invitation, token)
        audit.record(actor, "tenants.invitation.resend", target=invitation.email, tenant=invitation.tenant)
        _tell(invitation, "resent", actor)
    return invitation


def revoke(invitation: Invitation, *, actor: Principal) -> None:
    """End an invitation. Asking again changes nothing. Raises Conflict for an accepted one."""
    actor.require("user.write")
    with tenant_scope(invitation.tenant_id), transaction.atomic():
        invitation = _locked(invitation.pk)
        if invitation.accepted_at is not None:
            raise Conflict("The invitation was accepted.", code="invitation_closed")
        if invitation.revoked_at is not None:
            return
        invitation.revoked_at = timezone.now()
        invitation.save(update_fields=["revoked_at"])
        audit.record(actor, "tenants.invitation.revoke", target=invitation.email, tenant=invitation.tenant)
        _tell(invitation, "revoked", actor)


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What somebody without an account chooses when they accept."""

    username: str
    password: str
    name: str = ""


def find(token: str) -> Invitation:
    """The invitation that a link's token is of, to be accepted now.

    Raises NotFound (`invitation_unknown`), Gone (`invitation_accepted`, `invitation_revoked`, `invitation_expired`),
    Forbidden where the tenant is not active.
    """
    with platform_scope("the link's bearer is in no tenant yet"):
        rows = Invitation.objects.select_related("tenant", "role")
        return _usable(rows.filter(token_digest=_digest(token)).first())


def accept(token: str, who: NewAccount | User, *, ip: str | None) -> Membership:
    """Join the tenant with a new account, or with the one that is signed in. Works once.

    Raises as `find` does; Invalid and Conflict by field for what a new account cannot be, Conflict for a member,
    QuotaExceeded where the tenant is full.
    """
    with platform_scope("the link's bearer is in no tenant yet"), transaction.atomic():
        invitation = find(token)
        quotas.lock(invitation.tenant_id)
        invitation = _usable(_locked(invitation.pk))
        assert invitation.role is not None
        new = isinstance(who, NewAccount)
        user = (
            accounts.new(who.username, invitation.email, who.name or invitation.name, who.password)
            if isinstance(who, NewAccount)
            else who
        )
        if not new and (user.kind != User.Kind.PERSON or not user.is_active):
            raise Forbidden("This account cannot join.", code="forbidden")
        membership = users.enter(invitation.tenant, user, invitation.role.slug, None)
        invitation.accepted_at, invitation.accepted_by = timezone.now(), user.username
        invitation.save(update_fields=["accepted_at", "accepted_by"])
        actor = Principal(
            user, invitation.tenant, invitation.role.slug, frozenset(), Credential("session"), ip
        )
        after = {"email": invitation.email, "role": invitation.role.slug, "new_account": new}
        audit.record(actor, "tenants.invitation.accept", target=user.username, after=after)
        users.tell(membership, "joined", actor)
    return membership


def _usable(invitation: Invitation | None) -> Invitation:
    if invitation is None:
        raise NotFound(
            "This link is not of an invitation, or a newer one was sent.", code="invitation_unknown"
        )
    state = invitation.state
    if state == "pending" and invitation.role is None:
        state = "revoked"
    if state != "pending":
        text = {
            "accepted": "This invitation was used. Sign in with the account that it made.",
            "revoked": "This invitation was taken back. Ask whoever invited you.",
            "expired": "This invitation has expired. Ask whoever invited you to send it again.",
        }[state]
        raise Gone(text, code=f"invitation_{state}")
    if invitation.tenant.status != Tenant.Status.ACTIVE:
        raise Forbidden("The tenant is closed just now.", code="tenant_suspended")
    return invitation


def _locked(invitation_id: int) -> Invitation:
    rows = Invitation.objects.select_related("tenant", "role").select_for_update(of=("self",))
    found: Invitation = rows.get(pk=invitation_id)
    return found


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _expiry(asked: datetime | None) -> datetime:
    now = timezone.now()
    if asked is None:
        return now + VALID_FOR
    if not now < asked <= now + LONGEST:
        text = f"Within the next {LONGEST.days} days."
        raise Invalid(f"expires_at: {text}", errors={"expires_at": [text]})
    return asked


def _send(invitation: Invitation, token: str) -> None:
    context = {"invitation": invitation, "link": f"{settings.PUBLIC_BASE_URL}/app/invitations/{token}"}
    mail.check_room(_KIND, invitation.email)
    mail.post(
        _KIND,
        invitation.email,
        f"You are invited to {invitation.tenant.name}",
        render_to_string("tenants/mail/invitation.txt", context),
        expires_at=invitation.expires_at,
    )


def _tell(invitation: Invitation, participle: str, actor: Principal) -> None:
    data: dict[str, object] = {"id": str(invitation.public_id)}
    telling.tell(
        invitation.tenant_id,
        f"tenants.invitation.{participle}",
        subject=invitation.email,
        data=data,
        actor=actor,
    )
