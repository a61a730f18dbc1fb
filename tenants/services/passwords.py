"""Passwords: set by platform staff, or by the person with a link that was sent to their address.

A link's token (Django's, signed) names the account and is bound to its present password, address and last sign-in: it
works once, for PASSWORD_RESET_TIMEOUT seconds. With another password all sign-ins of the account end, and every
token of the old one.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from gateway.db.scope import platform_scope
from gateway.errors import Conflict, Invalid
from realtime import services as realtime
from tenants.models import Membership, SignIn, User
from tenants.principal import Principal

from . import accounts, audit, mail, sign_ins

_WHY = "accounts are known platform-wide"
_KIND = "password"
MOST_ACCOUNTS = 5
"""How many accounts of one address are written to."""
LINKS_PER_MINUTE = 3
"""How often links for one username or address are asked for, whoever asks."""


def set_password(user: User, text: str, *, actor: Principal) -> None:
    """Platform staff give an account another password; its sign-ins and tokens end with the old one.

    Raises Forbidden, Invalid by the password rules.
    """
    actor.require("platform.tenants")
    accounts.check_password_rules(text, user)
    with platform_scope(_WHY), transaction.atomic():
        _replace(user, text, actor, "set_password")


def request_link(identifier: str) -> None:
    """Send a link to whoever has the username or the address, if there is anybody who signs in with a password.

    What is done, and how long it takes, is the same when there is nobody. Call with attempts counted.
    """
    with platform_scope(_WHY), transaction.atomic():
        people = accounts.called(identifier).filter(is_active=True, kind=User.Kind.PERSON).exclude(email="")
        able = [user for user in people[: 2 * MOST_ACCOUNTS] if user.has_usable_password()]
        able = [user for user in able if not mail.has_enough(_KIND, user.email)]
        for user in able[:MOST_ACCOUNTS]:
            _send(user)
        if not able:
            mail.post_nothing(_KIND)


def send_link(membership: Membership, *, actor: Principal) -> None:
    """Send a member a link to set a password, also to one who has none so far. It goes to their address alone.

    Raises Forbidden, Conflict for an account that has no address, is not active or is no person's, RateLimited.
    """
    actor.require("user.write")
    with platform_scope(_WHY), transaction.atomic():
        user = User.objects.get(pk=membership.user_id)
        if not user.email or not user.is_active or user.kind != User.Kind.PERSON:
            raise Conflict(f"{user.username} has no address or cannot sign in.", code="no_address")
        mail.check_room(_KIND, user.email)
        _send(user)
        audit.record(actor, "tenants.user.send_password_link", target=user.username, tenant=membership.tenant)


def check_token(token: str) -> User:
    """The account that a link's token is of. Raises Invalid (`token_invalid`), the same for any reason."""
    account, _, signed = token.partition(".")
    try:
        public_id = uuid.UUID(hex=account)
    except ValueError:
        public_id = uuid.UUID(int=0)
    with platform_scope(_WHY):
        user = User.objects.filter(public_id=public_id, is_active=True, kind=User.Kind.PERSON).first()
    if user is None or not default_token_generator.check_token(user, signed):
        raise Invalid(
            "The link is not valid, or no longer. Ask for a new one.",
            code="token_invalid",
            errors={"token": ["Not valid, or no longer."]},
        )
    return user


def confirm(token: str, text: str, *, ip: str | None) -> User:
    """Set the password that the bearer of a link chose. Raises Invalid: `token_invalid`, or by the password rules."""
    with platform_scope(_WHY), transaction.atomic():
        user = User.objects.select_for_update().get(pk=check_token(token).pk)
        check_token(token)  # again, now that a second bearer of the same link waits for the row
        accounts.check_password_rules(text, user)
        _replace(user, text, sign_ins.person(user, ip), "reset_password")
    return user


def _replace(user: User, text: str, actor: Principal, verb: str) -> None:
    user = User.objects.select_for_update().get(pk=user.pk)
    user.set_password(text)
    user.save(update_fields=["password"])
    audit.record(actor, f"tenants.user.{verb}", target=user.username)
    sign_ins.end_all(user, SignIn.Reason.PASSWORD_CHANGED, actor=actor)
    realtime.publish(
        actor.tenant.pk, "tenants.user.updated", subject=user.username, data={"password": "changed"}, actor=actor
    )  # fmt: skip


def _send(user: User) -> None:
    token = f"{user.public_id.hex}.{default_token_generator.make_token(user)}"
    minutes = settings.PASSWORD_RESET_TIMEOUT // 60
    link = f"{settings.PUBLIC_BASE_URL}/app/password-reset/{token}"
    body = render_to_string("tenants/mail/password.txt", {"user": user, "link": link, "minutes": minutes})
    until = timezone.now() + timedelta(minutes=minutes)
    mail.post(_KIND, user.email, "Set your password on Gatehouse", body, expires_at=until)
