"""Roles of a tenant's own: what they hold, who may make them, and that a change of one reaches whoever has it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from gateway.db.scope import platform_scope, tenant_scope
from realtime.models import Event
from tenants.models import AuditEntry, Role
from tenants.permissions import GROUPS, PERMISSIONS, role_permissions
from tenants.principal import Principal
from tenants.services import roles, users
from tests import factories
from tests.factories import client

pytestmark = pytest.mark.django_db
API = "/api/v1/"


def make(admin: Principal, slug: str, *permissions: str, extends: str | None = None) -> Any:
    body = {"name": slug, "slug": slug, "permissions": list(permissions), "extends": extends}
    answer = client(admin).post(API + "roles", body, format="json")
    assert answer.status_code == 201, answer.content
    return answer.json()["data"]


def change(admin: Principal, role: Any, **fields: Any) -> Any:
    return client(admin).patch(f"{API}roles/{role['id']}", fields, format="json")


def test_a_role_holds_its_own_permissions_and_the_inherited_ones() -> None:
    admin = factories.member(factories.tenant())
    make(admin, "clerk", "user.read")
    lead = make(admin, "lead", "audit.read", extends="clerk")
    assert (lead["extends"], lead["own_permissions"]) == ("clerk", ["audit.read"])
    assert lead["permissions"] == ["audit.read", "user.read"]
    above = make(admin, "above", "user.write", extends="viewer")
    assert {"user.write", "storage.object.read"} <= set(above["permissions"])
    with platform_scope("test"):
        assert AuditEntry.objects.filter(action="tenants.role.create", target="lead").exists()
        assert Event.objects.filter(type="tenants.role.created", subject="lead").exists()


def test_a_change_of_a_parent_reaches_the_holders_of_its_heirs_at_once() -> None:
    tenant = factories.tenant()
    admin = factories.member(tenant)
    clerk = make(admin, "clerk", "user.read")
    make(admin, "middle", extends="clerk")
    make(admin, "lead", extends="middle")
    holder = client(factories.member(tenant, "lead"))
    assert holder.get(API + "users").status_code == 200
    assert holder.get(API + "audit").status_code == 403
    assert change(admin, clerk, permissions=["audit.read"]).status_code == 200
    assert holder.get(API + "users").status_code == 403
    assert holder.get(API + "audit").status_code == 200
    assert change(admin, clerk, extends="viewer").status_code == 200
    assert "storage.bucket.read" in holder.get(API + "auth/me").json()["data"]["permissions"]


def test_a_key_holds_no_more_than_a_custom_role_does_now() -> None:
    tenant = factories.tenant()
    admin = factories.member(tenant)
    clerk = make(admin, "clerk", "user.read", "api_key.write")
    member = factories.member(tenant, "clerk")
    key = client(member).post(API + "api-keys", {"name": "x"}, format="json").json()["data"]["api_key"]
    with_key = client(None, **{"X-API-Key": key})
    assert with_key.get(API + "users").status_code == 200
    assert change(admin, clerk, permissions=["api_key.write"]).status_code == 200
    assert with_key.get(API + "users").status_code == 403


def test_asking_again_changes_nothing() -> None:
    admin = factories.member(factories.tenant())
    clerk = make(admin, "clerk", "user.read")
    with platform_scope("test"):
        before = AuditEntry.objects.count()
    assert change(admin, clerk, permissions=["user.read"], name="clerk").status_code == 200
    with platform_scope("test"):
        assert AuditEntry.objects.count() == before


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"name": ""}, 400, "invalid", "name"),
        ({"name": 5}, 400, "invalid", "name"),
        ({"name": "x", "slug": "No Slug"}, 400, "invalid", "slug"),
        ({"name": "x", "slug": "clerk"}, 409, "conflict", "slug"),
        ({"name": "x", "slug": "owner"}, 409, "conflict", "slug"),
        ({"name": "x", "slug": "staff"}, 409, "conflict", "slug"),
        ({"name": "System"}, 409, "conflict", "slug"),
        ({"name": "???"}, 400, "invalid", "slug"),
        ({"name": "x", "permissions": ["no.such"]}, 400, "invalid", "permissions"),
        ({"name": "x", "permissions": ["platform.tenants"]}, 400, "invalid", "permissions"),
        ({"name": "x", "permissions": "user.read"}, 400, "invalid", "permissions"),
        ({"name": "x", "extends": "no-such"}, 400, "invalid", "extends"),
        ({"name": "x", "colour": "red"}, 400, "invalid", "colour"),
        ({"name": "x", "is_builtin": True}, 400, "invalid", "is_builtin"),
    ],
)
def test_what_is_no_role(body: dict[str, Any], status: int, code: str, field: str) -> None:
    tenant = factories.tenant()
    admin = factories.member(tenant)
    make(admin, "clerk")
    answer = client(admin).post(API + "roles", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    assert field in answer.json()["errors"]
    with tenant_scope(tenant.pk):
        assert Role.objects.filter(is_builtin=False).count() == 1


def test_a_cycle_is_refused_and_named() -> None:
    admin = factories.member(factories.tenant())
    first = make(admin, "first", "user.read")
    make(admin, "second", extends="first")
    make(admin, "third", extends="second")
    for other in ("third", "first"):
        answer = change(admin, first, extends=other)
        assert (answer.status_code, answer.json()["code"]) == (400, "role_cycle")
    assert "first → third → second → first" in str(change(admin, first, extends="third").json()["errors"])
    shown = client(admin).get(f"{API}roles/{first['id']}").json()["data"]
    assert (shown["extends"], shown["permissions"]) == (None, ["user.read"])


def test_chains_end_somewhere() -> None:
    admin = factories.member(factories.tenant())
    below = None
    for number in range(roles.MOST_DEPTH):
        below = make(admin, f"r{number}", extends=below)["slug"]
    body = {"name": "x", "extends": below}
    answer = client(admin).post(API + "roles", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "role_too_deep")
    base = make(admin, "base")
    first = client(admin).get(API + "roles?per_page=100").json()["data"]
    r0 = next(role for role in first if role["slug"] == "r0")
    answer = change(admin, r0, extends=base["slug"])
    assert (answer.status_code, answer.json()["code"]) == (400, "role_too_deep")


def test_nobody_makes_or_changes_a_role_beyond_their_own() -> None:
    tenant = factories.tenant()
    admin = factories.member(tenant)
    make(admin, "maker", "role.write", "user.read")
    maker = factories.member(tenant, "maker")
    for body in ({"name": "x", "permissions": ["audit.read"]}, {"name": "x", "extends": "member"}):
        answer = client(maker).post(API + "roles", body, format="json")
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing")
    mine = make(maker, "mine", "user.read")
    for fields in ({"permissions": ["audit.read"]}, {"extends": "admin"}):
        assert change(maker, mine, **fields).status_code == 403
    greater = make(admin, "greater", "audit.read")
    assert change(maker, greater, permissions=[]).status_code == 403
    assert client(maker).delete(f"{API}roles/{greater['id']}").status_code == 403
    shown = client(admin).get(f"{API}roles/{mine['id']}").json()["data"]
    assert shown["permissions"] == ["user.read"]
    own = client(maker).get(API + "roles?per_page=100").json()["data"]
    maker_role = next(role for role in own if role["slug"] == "maker")
    assert change(maker, maker_role, permissions=["role.write", "user.read", "user.write"]).status_code == 403
    assert client(factories.member(tenant, "member")).post(API + "roles", {"name": "x"}).status_code == 403


def test_built_in_roles_stay_as_they_are() -> None:
    admin = factories.member(factories.tenant())
    listed = client(admin).get(API + "roles?per_page=100").json()["data"]
    for role in listed:
        for answer in (change(admin, role, permissions=[]), client(admin).delete(f"{API}roles/{role['id']}")):
            assert (answer.status_code, answer.json()["code"]) == (409, "role_builtin")
    again = client(admin).get(API + "roles?per_page=100").json()["data"]
    assert again == listed and len(listed) == 4


def test_a_role_in_use_stays() -> None:
    tenant = factories.tenant()
    admin = factories.member(tenant)
    clerk = make(admin, "clerk", "user.read")
    path = f"{API}roles/{clerk['id']}"

    def refused() -> str:
        answer = client(admin).delete(path)
        assert (answer.status_code, answer.json()["code"]) == (409, "role_in_use")
        return str(answer.json()["detail"])

    member = factories.member(tenant, "clerk")
    assert "1 member has it" in refused()
    heir = make(admin, "heir", extends="clerk")
    assert "heir extends it" in refused()
    assert member.user is not None
    with tenant_scope(tenant.pk):
        users.assign_role(users.get_membership(member.user.public_id, actor=admin), "viewer", actor=admin)
    assert client(admin).delete(f"{API}roles/{heir['id']}").status_code == 204
    invited = client(admin).post(API + "invitations", {"email": "a@b.org", "role": "clerk"}, format="json")
    assert "1 invitation offers it" in refused()
    assert client(admin).delete(f"{API}invitations/{invited.json()['data']['id']}").status_code == 204
    assert client(admin).delete(path).status_code == 204
    assert client(admin).get(path).status_code == 404


def test_there_are_so_many_roles_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "MOST_ROLES", 5)
    admin = factories.member(factories.tenant())
    make(admin, "fifth")
    answer = client(admin).post(API + "roles", {"name": "sixth"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (403, "quota_exceeded")


def test_another_tenants_role_is_not_there() -> None:
    admin, foreign = factories.member(factories.tenant()), factories.member(factories.tenant())
    role = make(foreign, "theirs")
    for answer in (change(admin, role, name="x"), client(admin).delete(f"{API}roles/{role['id']}")):
        assert answer.status_code == 404
    assert client(admin).get(f"{API}roles/{uuid.uuid4()}").status_code == 404
    answer = client(admin).post(API + "roles", {"name": "x", "extends": "theirs"}, format="json")
    assert answer.status_code == 400


def test_the_registry_is_told_in_groups() -> None:
    answer = client(factories.member(factories.tenant(), "viewer")).get(API + "permissions")
    told = answer.json()["data"]
    assert {one["name"] for one in told} == set(PERMISSIONS)
    assert {one["group"] for one in told} == set(GROUPS)
    assert all(one["description"] for one in told)


def test_a_permission_that_the_registry_lost_is_held_by_nobody() -> None:
    assert role_permissions(Role(granted=["gone.for.good", "user.read"])) == {"user.read"}
