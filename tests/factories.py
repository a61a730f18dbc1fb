"""What tests start from, made by the product's own verbs."""

from __future__ import annotations

import itertools
from typing import Any

from django.test import Client
from rest_framework.test import APIClient

from gateway.db.scope import platform_scope
from tenants.models import Membership, SignIn, Tenant, User
from tenants.permissions import STAFF, role_permissions
from tenants.principal import Credential, Principal
from tenants.services import bootstrap, token_families
from tenants.services.tenants import create_tenant
from tenants.services.users import create_user

PASSWORD = "Zq~xk9!Wv%Jb@Py&Gf#Hc$42"  # like no username, or it would be refused now and then
_numbers = itertools.count(1)


def staff() -> Principal:
    """The platform's administrator, acting in the tenant `platform`."""
    bootstrap.ensure_platform("root-of-all", PASSWORD)
    with platform_scope("tests"):
        user, tenant = User.objects.get(username="root-of-all"), Tenant.objects.get(slug="platform")
    return Principal(user, tenant, "staff", STAFF, Credential("session"))


def tenant(slug: str = "", **fields: Any) -> Tenant:
    slug = slug or f"tenant-{next(_numbers)}"
    return create_tenant(fields.pop("name", slug), slug, actor=staff())


def member(of: Tenant, role: str = "admin", username: str = "") -> Principal:
    """A new user of the tenant, as the principal that a signed-in session of theirs would be."""
    username = username or f"{of.slug}-{role}-{next(_numbers)}"
    membership = create_user(
        of, username, email=f"{username}@example.org", password=PASSWORD, role=role, actor=staff()
    )
    return principal(membership)


def principal(membership: Membership) -> Principal:
    role = membership.role
    return Principal(
        membership.user, membership.tenant, role.slug, role_permissions(role), Credential("session")
    )


def bearer(who: Principal) -> str:
    """The Authorization header of a fresh JWT of `who`."""
    with platform_scope("tests"):
        return "Bearer " + str(token_families.renew(sign_in(who))["access"])


def sign_in(who: Principal, **fields: Any) -> SignIn:
    """A token family of `who`, which nobody was told of."""
    assert who.user is not None
    with platform_scope("tests"):
        return SignIn.objects.create(user=who.user, kind=SignIn.Kind.TOKENS, **fields)


def client(who: Principal | None = None, **headers: str) -> APIClient:
    """An API client, with a JWT of `who` for their tenant."""
    api = APIClient()
    if who is not None:
        headers = {"Authorization": bearer(who), "X-Tenant": who.tenant.slug} | headers
    api.credentials(**{f"HTTP_{k.upper().replace('-', '_')}": v for k, v in headers.items()})
    return api


def browser(who: Principal) -> Client:
    """A browser in which `who` is signed in."""
    assert who.user is not None
    signed_in = Client()
    signed_in.force_login(who.user)
    return signed_in
