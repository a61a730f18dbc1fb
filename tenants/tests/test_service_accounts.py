"""Service accounts: made by who may, with keys of their own, signing in nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from gateway.db.scope import platform_scope
from tenants.models import AuditEntry, User
from tenants.principal import Principal
from tests import factories
from tests.factories import PASSWORD, client

pytestmark = pytest.mark.django_db
API = "/api/v1/"
PATH = API + "service-accounts"


@pytest.fixture
def admin() -> Principal:
    return factories.member(factories.tenant())


def made(who: Principal, name: str = "deploy", role: str = "member") -> dict[str, Any]:
    answer = client(who).post(PATH, {"name": name, "role": role}, format="json")
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()["data"]
    return found


def key_of(who: Principal, account: dict[str, Any], **fields: Any) -> dict[str, Any]:
    answer = client(who).post(f"{PATH}/{account['id']}/api-keys", {"name": "k", **fields}, format="json")
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()["data"]
    return found


def test_its_key_acts_as_it_with_its_role(admin: Principal) -> None:
    account = made(admin)
    assert account["username"] == f"deploy@{admin.tenant.slug}"
    key = key_of(admin, account)
    me = client(None, **{"X-API-Key": key["api_key"]}).get(API + "auth/me").json()["data"]
    assert (me["username"], me["role"], me["tenant"]) == (account["username"], "member", admin.tenant.slug)
    (listed,) = client(admin).get(f"{PATH}/{account['id']}/api-keys").json()["data"]
    assert (listed["id"], listed["created_by"]) == (key["id"], admin.label)
    with platform_scope("test"):
        assert AuditEntry.objects.filter(action="tenants.service_account.create", actor=admin.label).exists()


def test_nobody_signs_in_as_one(admin: Principal) -> None:
    account = made(admin)
    with platform_scope("somebody gave it a password all the same"):
        user = User.objects.get(username=account["username"])
        assert not user.has_usable_password()
        user.set_password(PASSWORD)
        user.save()
    body = {"username": account["username"], "password": PASSWORD}
    assert APIClient().post(API + "auth/login", body, format="json").status_code == 401
    assert not APIClient().login(username=account["username"], password=PASSWORD)


def test_deactivation_ends_its_keys_and_reactivation_brings_them_back(admin: Principal) -> None:
    account = made(admin)
    key = client(None, **{"X-API-Key": key_of(admin, account)["api_key"]})
    assert key.get(API + "auth/me").status_code == 200
    assert client(admin).delete(f"{PATH}/{account['id']}").status_code == 204
    assert key.get(API + "auth/me").status_code == 401
    refused = client(admin).post(f"{PATH}/{account['id']}/api-keys", {"name": "x"}, format="json")
    assert refused.status_code == 409
    back = client(admin).patch(f"{PATH}/{account['id']}", {"is_active": True}, format="json")
    assert back.json()["data"]["is_active"] is True
    assert key.get(API + "auth/me").status_code == 200


def test_its_keys_follow_its_role_and_never_exceed_it(admin: Principal) -> None:
    account = made(admin, role="viewer")
    beyond = {"name": "x", "permissions": ["storage.bucket.write"]}
    answer = client(admin).post(f"{PATH}/{account['id']}/api-keys", beyond, format="json")
    assert answer.status_code == 400 and "permissions" in answer.json()["errors"]
    text = key_of(admin, account)["api_key"]
    assert (
        client(None, **{"X-API-Key": text})
        .post(API + "storage/buckets", {"name": "b"}, format="json")
        .status_code
        == 403
    )
    changed = client(admin).patch(f"{PATH}/{account['id']}", {"role": "member"}, format="json")
    assert changed.json()["data"]["role"] == "member"
    me = client(None, **{"X-API-Key": text}).get(API + "auth/me").json()["data"]
    assert "storage.bucket.write" in me["permissions"]


def test_nobody_makes_one_that_holds_more(admin: Principal) -> None:
    narrow = {"name": "x", "permissions": ["service_account.write", "service_account.read", "tenant.read"]}
    text = client(admin).post(API + "api-keys", narrow, format="json").json()["data"]["api_key"]
    mole = client(None, **{"X-API-Key": text})
    assert mole.post(PATH, {"name": "mole", "role": "admin"}, format="json").status_code == 403
    account = made(admin, "strong", "admin")
    assert mole.post(f"{PATH}/{account['id']}/api-keys", {"name": "x"}, format="json").status_code == 201
    strong = client(admin).get(f"{PATH}/{account['id']}/api-keys").json()["data"][0]
    assert strong["permissions"] == ["service_account.read", "service_account.write", "tenant.read"]
    member = factories.member(admin.tenant, "member")
    assert client(member).post(PATH, {"name": "x"}, format="json").status_code == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "No Slug"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 64}, "name"),
        ({"name": 5}, "name"),
        ({}, "name"),
        ({"name": "x", "role": "nonsense"}, "role"),
        ({"name": "x", "role": "owner"}, "role"),
        ({"name": "x", "password": PASSWORD}, "password"),
    ],
    ids=str,
)
def test_bad_input_is_told_by_field(admin: Principal, body: dict[str, Any], field: str) -> None:
    answer = client(admin).post(PATH, body, format="json")
    assert answer.status_code == 400 and field in answer.json()["errors"], answer.content
    assert client(admin).get(PATH).json()["data"] == []


def test_a_name_is_taken_in_its_tenant_alone(admin: Principal) -> None:
    made(admin)
    again = client(admin).post(PATH, {"name": "deploy", "role": "viewer"}, format="json")
    assert again.status_code == 409 and "name" in again.json()["errors"]
    made(factories.member(factories.tenant()))


def test_they_count_against_the_limit_of_users(admin: Principal) -> None:
    limits = {"limits": {"users": 2}}
    path = f"{API}tenants/{admin.tenant.public_id}"
    assert client(factories.staff()).patch(path, limits, format="json").status_code == 200
    made(admin)
    refused = client(admin).post(PATH, {"name": "more"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "quota_exceeded")


def test_another_tenants_is_not_there(admin: Principal) -> None:
    account = made(factories.member(factories.tenant()))
    for answer in (
        client(admin).get(f"{PATH}/{account['id']}"),
        client(admin).delete(f"{PATH}/{account['id']}"),
        client(admin).post(f"{PATH}/{account['id']}/api-keys", {"name": "x"}, format="json"),
    ):
        assert answer.status_code == 404
    person = factories.member(admin.tenant, "member")
    assert person.user is not None
    assert client(admin).get(f"{PATH}/{person.user.public_id}").status_code == 404


def test_who_may_write_them_rotates_their_keys(admin: Principal) -> None:
    account = made(admin)
    key = key_of(admin, account)
    other = factories.member(admin.tenant)
    answer = client(other).post(f"{API}api-keys/{key['id']}/rotate", {"overlap_seconds": 0}, format="json")
    assert answer.status_code == 200
    text = answer.json()["data"]["api_key"]
    assert client(None, **{"X-API-Key": text}).get(API + "auth/me").status_code == 200
