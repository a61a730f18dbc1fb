"""Users of a tenant: made without a password, changed, added, removed, deactivated and back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Forbidden
from storage.models import AccessKey
from storage.services import access_keys
from tenants.models import AuditEntry, Membership, SignIn, User
from tenants.principal import Principal
from tenants.services import service_accounts, users
from tests import factories
from tests.factories import PASSWORD, client

pytestmark = pytest.mark.django_db
API = "/api/v1/"


@pytest.fixture
def admin() -> Principal:
    return factories.member(factories.tenant())


def create(admin: Principal, **body: Any) -> Any:
    return client(admin).post(f"{API}tenants/{admin.tenant.public_id}/users", body, format="json")


def path(who: Principal) -> str:
    assert who.user is not None
    return f"{API}users/{who.user.public_id}"


def change(admin: Principal, who: Principal, **fields: Any) -> Any:
    return client(admin).patch(path(who), fields, format="json")


def also(who: Principal) -> Principal:
    """The same person in another tenant, added by platform staff."""
    other = factories.tenant()
    body = {"username": who.label.upper(), "role": "viewer"}
    added = client(factories.staff()).post(f"{API}tenants/{other.public_id}/members", body, format="json")
    assert added.status_code == 201, added.content
    with platform_scope("test"):
        return factories.principal(
            Membership.objects.select_related("tenant", "user", "role").get(tenant=other, user=who.user)
        )


def test_a_user_without_a_password_signs_in_with_none(admin: Principal) -> None:
    made = create(admin, username="ext", email="ext@example.org", name="Ex Ternal", nexusgate_user_id="ng-1")
    assert made.status_code == 201
    told = made.json()["data"]
    assert (told["name"], told["nexusgate_user_id"], told["role"]) == ("Ex Ternal", "ng-1", "member")
    for password in ("", "!", PASSWORD):
        body = {"username": "ext", "password": password}
        assert APIClient().post(API + "auth/login", body, format="json").status_code in (400, 401)


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({}, 400, "invalid", "username"),
        ({"username": "a b"}, 400, "invalid", "username"),
        ({"username": 5}, 400, "invalid", "username"),
        ({"username": "x", "email": "nothing"}, 400, "invalid", "email"),
        ({"username": "x", "role": "no-such"}, 400, "invalid", "role"),
        ({"username": "x", "last_login": "2020-01-01T00:00:00Z"}, 400, "invalid", "last_login"),
        ({"username": "x", "is_staff": True}, 400, "invalid", "is_staff"),
        ({"username": "x", "password": "short"}, 400, "invalid", "password"),
        ({"username": "ROOT-of-all"}, 409, "conflict", "username"),
        ({"username": "x", "email": "FIRST@example.org"}, 409, "conflict", "email"),
        ({"username": "x", "nexusgate_user_id": "ng-1"}, 409, "conflict", "nexusgate_user_id"),
    ],
)
def test_what_is_no_user(admin: Principal, body: dict[str, Any], status: int, code: str, field: str) -> None:
    create(admin, username="first", email="first@example.org", nexusgate_user_id="ng-1")
    with platform_scope("test"):
        before = User.objects.count()
    answer = create(admin, **body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    assert field in answer.json()["errors"]
    with platform_scope("test"):
        assert User.objects.count() == before


def test_the_limit_of_users(admin: Principal) -> None:
    limits = {"limits": {"users": 2}}
    tenant = f"{API}tenants/{admin.tenant.public_id}"
    assert client(factories.staff()).patch(tenant, limits, format="json").status_code == 200
    second = factories.member(admin.tenant, "member")
    refused = create(admin, username="third")
    assert (refused.status_code, refused.json()["code"]) == (403, "quota_exceeded")
    assert change(admin, second, is_active=False).status_code == 200
    assert create(admin, username="third").status_code == 201
    back = change(admin, second, is_active=True)
    assert (back.status_code, back.json()["code"]) == (403, "quota_exceeded")


def test_several_things_are_changed_at_once_or_none_is(admin: Principal) -> None:
    member = factories.member(admin.tenant, "member")
    answer = change(
        admin, member, role="viewer", email="new@example.org", name="New", nexusgate_user_id="ng-2"
    )
    assert answer.status_code == 200
    told = answer.json()["data"]
    assert (told["role"], told["email"], told["name"], told["nexusgate_user_id"]) == (
        "viewer",
        "new@example.org",
        "New",
        "ng-2",
    )
    refused = change(admin, member, email="other@example.org", role="no-such")
    assert refused.status_code == 400
    assert client(admin).get(path(member)).json()["data"] == told
    assert change(admin, member, nexusgate_user_id=None).json()["data"]["nexusgate_user_id"] is None


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"username": "other"}, 400, "username"),
        ({"password": PASSWORD}, 400, "password"),
        ({"is_active": "maybe"}, 400, "is_active"),
        ({"email": "nothing"}, 400, "email"),
        ({"nexusgate_user_id": 5}, 400, "nexusgate_user_id"),
    ],
)
def test_what_cannot_be_changed(admin: Principal, fields: dict[str, Any], status: int, field: str) -> None:
    member = factories.member(admin.tenant, "member")
    answer = change(admin, member, **fields)
    assert answer.status_code == status and field in answer.json()["errors"]


def test_an_account_of_several_tenants_is_nobodys_there_to_change(admin: Principal) -> None:
    """Whoever sets the address has the links for a new password, and with them the other tenant."""
    member = factories.member(admin.tenant, "member")
    elsewhere = also(member)
    for fields in ({"email": "mine@example.org"}, {"nexusgate_user_id": "mine"}, {"name": "Mine"}):
        for boss in (admin, factories.member(elsewhere.tenant, "owner")):
            answer = change(boss, member, **fields)
            assert (answer.status_code, answer.json()["code"]) == (403, "account_shared")
    staff = client(factories.staff(), **{"X-Tenant": admin.tenant.slug})
    assert staff.patch(path(member), {"email": "new@example.org"}, format="json").status_code == 200
    assert change(admin, member, role="viewer").status_code == 200


def test_an_account_that_holds_more_is_not_taken_over(admin: Principal) -> None:
    body = {"name": "Clerk", "permissions": ["user.read", "user.write"]}
    client(admin).post(API + "roles", body, format="json")
    clerk = factories.member(admin.tenant, "clerk")
    for fields in ({"email": "mine@example.org"}, {"nexusgate_user_id": "mine"}):
        answer = change(clerk, admin, **fields)
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing")
    owner = factories.member(admin.tenant, "owner")
    assert change(admin, owner, email="mine@example.org").status_code == 403


def test_ones_own_address_asks_for_the_password_here_too(admin: Principal) -> None:
    """Or a session that was left open, or a key, would have the links for a new password sent to itself."""
    api = client(admin)
    key = api.post(API + "api-keys", {"name": "x"}, format="json").json()["data"]["api_key"]
    with platform_scope("the clock cannot be turned"):
        SignIn.objects.update(confirmed_at=timezone.now() - timedelta(minutes=11))
    program = client(None, **{"X-API-Key": key})
    for asking, code in ((api, "password_needed"), (program, "sign_in_needed")):
        for fields in ({"email": "mine@example.org"}, {"nexusgate_user_id": "mine"}):
            answer = asking.patch(path(admin), fields, format="json")
            assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert api.patch(path(admin), {"name": "Ann"}, format="json").status_code == 200
    api.post(API + "auth/confirm", {"password": PASSWORD}, format="json")
    assert api.patch(path(admin), {"email": "mine@example.org"}, format="json").status_code == 200


def test_nobody_brings_back_who_holds_more(admin: Principal) -> None:
    body = {"name": "Clerk", "permissions": ["user.read", "user.write", "service_account.write"]}
    client(admin).post(API + "roles", body, format="json")
    clerk, boss = factories.member(admin.tenant, "clerk"), factories.member(admin.tenant, "owner")
    owner = factories.member(admin.tenant, "owner")
    service = service_accounts.create("ci", "admin", actor=admin)
    for target in (owner, admin):
        assert change(boss, target, is_active=False).status_code == 200
    service_accounts.update(service, {"is_active": False}, actor=boss)
    other = factories.member(admin.tenant)
    assert change(other, owner, is_active=True).status_code == 403
    assert change(clerk, admin, is_active=True).status_code == 403
    with pytest.raises(Forbidden):
        service_accounts.update(service, {"is_active": True}, actor=clerk)
    for target in (owner, admin):
        assert change(boss, target, is_active=True).status_code == 200


def test_a_service_account_becomes_no_owner_by_the_members_door(admin: Principal) -> None:
    owner = factories.member(admin.tenant, "owner")
    service = service_accounts.create("ci", "member", actor=owner)
    answer = client(owner).patch(f"{API}users/{service.user.public_id}", {"role": "owner"}, format="json")
    assert answer.status_code == 400 and "role" in answer.json()["errors"]


def test_staff_add_a_known_person_to_another_tenant(admin: Principal) -> None:
    elsewhere = also(admin)
    slugs = {t["slug"] for t in client(admin).get(API + "auth/me").json()["data"]["tenants"]}
    assert slugs == {admin.tenant.slug, elsewhere.tenant.slug}
    members = f"{API}tenants/{elsewhere.tenant.public_id}/members"
    for body, status in (
        ({"username": admin.label}, 409),
        ({"username": "nobody-at-all"}, 400),
        ({"username": "root-of-all", "role": "no-such"}, 400),
    ):
        assert client(factories.staff()).post(members, body, format="json").status_code == status
    own = f"{API}tenants/{admin.tenant.public_id}/members"
    assert client(admin).post(own, {"username": elsewhere.label}, format="json").status_code == 403


def test_whoever_is_removed_is_gone_and_their_keys_do_not_come_back(admin: Principal) -> None:
    member = factories.member(admin.tenant, "member")
    elsewhere = also(member)
    key = client(member).post(API + "api-keys", {"name": "x"}, format="json").json()["data"]["api_key"]
    with tenant_scope(admin.tenant.pk):
        access_keys.issue_access_key("x", actor=member)
    token = client(member)
    removal = f"{API}tenants/{admin.tenant.public_id}/users/{member.user.public_id}"  # type: ignore[union-attr]
    assert client(admin).delete(removal).status_code == 204
    assert client(admin).delete(removal).status_code == 404
    assert client(admin).get(path(member)).status_code == 404
    assert token.get(API + "auth/me").status_code == 404
    assert client(elsewhere).get(API + "auth/me").status_code == 200
    body = {"username": member.label}
    back = f"{API}tenants/{admin.tenant.public_id}/members"
    assert client(factories.staff()).post(back, body, format="json").status_code == 201
    assert token.get(API + "auth/me").status_code == 200
    assert client(None, **{"X-API-Key": key}).get(API + "auth/me").status_code == 401
    with platform_scope("test"):
        assert not AccessKey.objects.filter(user=member.user, revoked_at=None).exists()
        assert AuditEntry.objects.filter(action="tenants.user.remove", target=member.label).exists()


def test_nobody_removes_or_deactivates_themselves_or_the_last_owner(admin: Principal) -> None:
    owner = factories.member(admin.tenant, "owner")
    tenant = f"{API}tenants/{admin.tenant.public_id}/users"
    for who in (admin, owner):
        for answer in (
            client(who).delete(path(who)),
            client(who).delete(f"{tenant}/{who.user.public_id}"),  # type: ignore[union-attr]
        ):
            assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    staff = client(factories.staff(), **{"X-Tenant": admin.tenant.slug})
    for answer in (
        staff.delete(path(owner)),
        staff.delete(f"{tenant}/{owner.user.public_id}"),  # type: ignore[union-attr]
        staff.patch(path(owner), {"role": "viewer"}, format="json"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "last_owner")
    assert client(admin).delete(f"{tenant}/{owner.user.public_id}").status_code == 403  # type: ignore[union-attr]


def test_with_the_last_membership_the_sign_ins_end_for_good(admin: Principal) -> None:
    member = factories.member(admin.tenant, "member")
    browser, token = Client(), client(member)
    browser.force_login(member.user)  # type: ignore[arg-type]
    assert browser.get("/app/").status_code == token.get(API + "auth/me").status_code == 200
    assert change(admin, member, is_active=False).status_code == 200
    assert change(admin, member, is_active=True).status_code == 200
    assert browser.get("/app/").status_code == 302
    assert token.get(API + "auth/me").status_code == 401
    with platform_scope("test"):
        assert not SignIn.objects.filter(user=member.user, ended_at=None).exists()
    body = {"username": member.label, "password": PASSWORD}
    assert APIClient().post(API + "auth/login", body, format="json").status_code == 200


def test_a_key_that_was_revoked_meanwhile_stays_so(admin: Principal) -> None:
    member = factories.member(admin.tenant, "member")
    made = [
        client(member).post(API + "api-keys", {"name": name}, format="json").json()["data"] for name in "ab"
    ]
    assert change(admin, member, is_active=False).status_code == 200
    assert client(admin).delete(f"{API}api-keys/{made[0]['id']}").status_code == 204
    assert change(admin, member, is_active=True).status_code == 200
    statuses = [
        client(None, **{"X-API-Key": key["api_key"]}).get(API + "auth/me").status_code for key in made
    ]
    assert statuses == [401, 200]


def test_somebody_deactivated_here_works_on_elsewhere(admin: Principal) -> None:
    member = factories.member(admin.tenant, "member")
    elsewhere = also(member)
    here, there = client(member), client(elsewhere)
    assert change(admin, member, is_active=False).status_code == 200
    assert (here.get(API + "auth/me").status_code, there.get(API + "auth/me").status_code) == (404, 200)


def test_two_owners_cannot_unmake_each_other_at_once(admin: Principal) -> None:
    one, other = factories.member(admin.tenant, "owner"), factories.member(admin.tenant, "owner")
    assert change(one, other, role="admin").status_code == 200
    assert change(other, one, role="admin").status_code == 403
    with tenant_scope(admin.tenant.pk):
        assert Membership.objects.filter(role__slug="owner", is_active=True).count() == 1


def test_the_verbs_refuse_what_the_doors_let_through(admin: Principal) -> None:
    viewer = factories.member(admin.tenant, "viewer")
    with tenant_scope(admin.tenant.pk):
        membership = Membership.objects.get(user=admin.user)
    for verb in (users.deactivate_user, users.reactivate_user, users.remove_member):
        with pytest.raises(Exception, match=r"user\.write"):
            verb(membership, actor=viewer)


def test_members_are_found_by_name_role_and_state(admin: Principal) -> None:
    viewer = factories.member(admin.tenant, "viewer", "Somebody-Else")
    gone = factories.member(admin.tenant, "member")
    client(admin).delete(path(gone))

    def found(query: str) -> set[str]:
        answer = client(admin).get(f"{API}users?{query}")
        assert answer.status_code == 200, answer.content
        return {user["username"] for user in answer.json()["data"]}

    assert found("q=somebody-e") == {viewer.label}
    assert found("role=viewer") == {viewer.label}
    assert found("is_active=false") == {gone.label}
    assert found("is_active=true&role=member") == set()
    assert client(admin).get(f"{API}users?is_active=perhaps").status_code == 400
    assert client(admin).get(f"{API}users?q=%00").status_code == 400
