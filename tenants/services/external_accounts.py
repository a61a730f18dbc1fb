"""Accounts behind the tokens of the external issuer: found by their external id, made where that is switched on."""

from __future__ import annotations

import re

from django.conf import settings
from django.db import transaction

from gateway.db.scope import platform_scope
from gateway.errors import DomainError, Unauthenticated
from tenants.models import Tenant, User
from tenants.nexusgate import ExternalToken
from tenants.principal import system

from . import users

_UNKNOWN = "The token is of nobody who is known here."


def account_of(token: ExternalToken) -> User:
    """The account with the token's subject. Raises Unauthenticated for an unknown or deactivated one.

    With NEXUSGATE_PROVISION_ROLE an unknown subject becomes a member, with that role and no password, of the tenant
    that the token names. Never is it tied to an account that exists, whatever address the token shows.
    """
    with platform_scope("a token names an account, not yet a tenant"):
        user = User.objects.filter(nexusgate_user_id=token.subject).first()
        if user is None and settings.NEXUSGATE_PROVISION_ROLE:
            user = _made(token)
    if user is None or not user.is_active or user.kind != User.Kind.PERSON:
        raise Unauthenticated(_UNKNOWN)
    return user


def _made(token: ExternalToken) -> User | None:
    tenant = Tenant.objects.filter(slug=token.tenant or "", status=Tenant.Status.ACTIVE).first()
    if tenant is None:
        return None
    wished = token.email or token.subject
    username = re.sub(r"[^\w.@+-]", "-", wished)[:150]
    try:
        with transaction.atomic():
            membership = users.create_user(
                tenant, username, email=token.email, password=None, role=settings.NEXUSGATE_PROVISION_ROLE,
                nexusgate_user_id=token.subject, actor=system(tenant),
            )  # fmt: skip
    except DomainError as error:
        # Two requests at once may have made it; all else (a taken name, a full tenant) is refused.
        made = User.objects.filter(nexusgate_user_id=token.subject).first()
        if made is None:
            raise Unauthenticated(f"{_UNKNOWN} {error.detail}") from None
        return made
    return membership.user
