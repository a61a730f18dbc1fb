"""Nobody gives themselves more than they hold, and what was taken away stays away."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Unauthenticated
from tenants import resolver
from tenants.models import Membership, Role
from tenants.services import passwords, standing
from tests import factories
from tests.factories import PASSWORD, client

pytestmark = pytest.mark.django_db
API = "/api/v1/"


def test_a_narrowed_key_makes_no_account_that_holds_more() -> None:
    tenant = factories.tenant()
    owner = factories.member(tenant, "owner")
    path = f"{API}tenants/{tenant.public_id}/users"
    wanted = {"name": "onboarding", "permissions": ["tenant.read", "user.read", "user.write"]}
    key = client(owner).post(API + "api-keys", wanted, format="json").json()["data"]["api_key"]
    narrow = client(None, **{"X-API-Key": key})
    for role in ("owner", "admin", "member", "viewer"):
        body = {"username": f"mole-{role}", "password": PASSWORD, "role": role}
        answer = narrow.post(path, body, format="json")
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing")
    helper = factories.member(tenant, "viewer")
    assert helper.user is not None
    answer = narrow.patch(f"{API}users/{helper.user.public_id}", {"role": "admin"}, format="json")
    assert answer.status_code == 403


def test_a_role_that_adds_users_does_not_promote_its_holder() -> None:
    tenant = factories.tenant()
    clerk = factories.member(tenant, "viewer")
    assert clerk.user is not None
    with tenant_scope(tenant.pk):
        held = ["tenant.read", "user.read", "user.write"]
        role = Role.objects.create(tenant=tenant, slug="clerk", name="Clerk", granted=held)
        Membership.objects.filter(user=clerk.user).update(role=role)
    path = f"{API}users/{clerk.user.public_id}"
    assert client(clerk).patch(path, {"role": "admin"}, format="json").status_code == 403
    with platform_scope("test"):
        assert Membership.objects.get(user=clerk.user).role.slug == "clerk"


def test_another_password_ends_the_tokens_of_the_old_one() -> None:
    who = factories.member(factories.tenant())
    assert who.user is not None
    login = {"username": who.label, "password": PASSWORD}
    tokens = APIClient().post(API + "auth/login", login, format="json").json()["data"]
    bearer = client(None, Authorization=f"Bearer {tokens['access']}")
    assert bearer.get(API + "auth/me").status_code == 200
    passwords.set_password(who.user, "Another-1-that-is-long", actor=factories.staff())
    assert bearer.get(API + "auth/me").status_code == 401
    refreshed = APIClient().post(API + "auth/refresh", {"refresh": tokens["refresh"]}, format="json")
    assert refreshed.status_code == 401


def test_another_password_ends_the_streams_of_the_old_ones_tokens() -> None:
    who = factories.member(factories.tenant())
    assert who.user is not None
    token = factories.bearer(who).removeprefix("Bearer ")
    found = resolver.from_token(token, resolver.Asked(who.tenant.slug))
    holder = standing.holder_of(found, None)
    assert standing.renew(holder).user == who.user
    passwords.set_password(who.user, "Another-1-that-is-long", actor=factories.staff())
    with pytest.raises(Unauthenticated):
        standing.renew(holder)
