"""API keys: where from, how far, until when; rotated and narrowed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from django.utils import timezone
from rest_framework.test import APIClient

from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Unauthenticated
from realtime.models import Event
from tenants import networks, resolver
from tenants.models import ApiKey, AuditEntry, Membership, Role
from tenants.principal import Principal
from tenants.services import key_secrets, standing
from tests import factories
from tests.factories import client

pytestmark = pytest.mark.django_db
API = "/api/v1/"
PATH = API + "api-keys"


def made(who: Principal, **fields: Any) -> dict[str, Any]:
    answer = client(who).post(PATH, {"name": "ci", **fields}, format="json")
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()["data"]
    return found


def with_key(text: str, ip: str = "192.0.2.1") -> APIClient:
    return APIClient(HTTP_X_API_KEY=text, REMOTE_ADDR=ip)


def status(text: str, ip: str = "192.0.2.1") -> int:
    return int(with_key(text, ip).get(API + "auth/me").status_code)


@pytest.fixture
def member() -> Principal:
    return factories.member(factories.tenant(), "member")


@pytest.mark.parametrize(
    ("allowed", "ip", "expected"),
    [
        (["192.0.2.0/24"], "192.0.2.77", 200),
        (["192.0.2.0/24"], "::ffff:192.0.2.77", 200),
        (["192.0.2.0/24"], "198.51.100.1", 401),
        (["192.0.2.7"], "192.0.2.7", 200),
        (["192.0.2.7"], "192.0.2.8", 401),
        (["2001:db8::/32", "10.0.0.0/8"], "2001:db8::1", 200),
        (["2001:db8::/32", "10.0.0.0/8"], "10.9.8.7", 200),
        (["2001:db8::/32"], "2001:db9::1", 401),
        (["2001:db8::/32"], "192.0.2.1", 401),
        ([], "203.0.113.9", 200),
    ],
)
def test_a_key_is_taken_from_its_addresses_alone(
    member: Principal, allowed: list[str], ip: str, expected: int
) -> None:
    assert status(made(member, allowed_networks=allowed)["api_key"], ip) == expected


def test_what_was_let_in_from_one_address_is_not_from_another(member: Principal) -> None:
    text = made(member, allowed_networks=["192.0.2.0/24"])["api_key"]
    assert [status(text), status(text, "198.51.100.1"), status(text)] == [200, 401, 200]


@pytest.mark.parametrize(
    "wrong", ["10.0.0.1/8", "10.0.0.0/33", "nonsense", "::ffff:10.0.0.0/104", "fe80::1%eth0", "", "1.2.3"]
)
def test_what_is_no_address_is_refused_by_field(member: Principal, wrong: str) -> None:
    answer = client(member).post(PATH, {"name": "x", "allowed_networks": [wrong]}, format="json")
    assert answer.status_code == 400 and "allowed_networks" in str(answer.json()["errors"])
    with tenant_scope(member.tenant.pk):
        assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        ([], [], True),
        ([], ["10.0.0.0/8"], False),
        (["10.1.0.0/16"], ["10.0.0.0/8"], True),
        (["10.1.0.0/16", "11.0.0.0/8"], ["10.0.0.0/8"], False),
        (["2001:db8::/48"], ["10.0.0.0/8", "2001:db8::/32"], True),
        (["0.0.0.0/0"], ["::/0"], False),
    ],
)
def test_networks_within_networks(inner: list[str], outer: list[str], expected: bool) -> None:
    assert networks.within(networks.normal(inner), networks.normal(outer)) is expected


def test_the_last_use_is_known_by_time_and_address(member: Principal) -> None:
    key = made(member)
    assert status(key["api_key"], "192.0.2.5") == 200
    found = client(member).get(f"{PATH}/{key['id']}").json()["data"]
    assert found["last_used_ip"] == "192.0.2.5" and found["last_used_at"]


def test_a_key_shrinks_with_its_owners_role(member: Principal) -> None:
    text = made(member, permissions=["storage.bucket.write", "tenant.read"])["api_key"]
    assert with_key(text).get(API + "auth/me").json()["data"]["permissions"] == [
        "storage.bucket.write",
        "tenant.read",
    ]
    staff = client(factories.staff(), **{"X-Tenant": member.tenant.slug})
    assert member.user is not None
    shrunk = staff.patch(f"{API}users/{member.user.public_id}", {"role": "viewer"}, format="json")
    assert shrunk.status_code == 200
    assert with_key(text).get(API + "auth/me").json()["data"]["permissions"] == ["tenant.read"]


def test_after_a_rotation_both_secrets_work_until_the_overlap_ends(member: Principal) -> None:
    old = made(member)
    answer = client(member).post(f"{PATH}/{old['id']}/rotate", {"overlap_seconds": 600}, format="json")
    new = answer.json()["data"]
    assert answer.status_code == 200 and new["id"] == old["id"] and new["previous_until"].endswith("Z")
    assert new["api_key"] != old["api_key"]
    assert status(old["api_key"]) == status(new["api_key"]) == 200
    listed = client(member).get(PATH).json()
    assert new["api_key"] not in str(listed) and len(listed["data"]) == 1
    old_holder = _holder(old["api_key"], member)
    with platform_scope("the clock cannot be turned"):
        ApiKey.objects.update(previous_until=timezone.now() - timedelta(seconds=1))
    assert standing.renew(_holder(new["api_key"], member)).user == member.user
    with pytest.raises(Unauthenticated):
        standing.renew(old_holder)
    assert (status(old["api_key"], "192.0.2.2"), status(new["api_key"])) == (401, 200)
    with platform_scope("test"):
        entry = AuditEntry.objects.get(action="tenants.api_key.rotate")
        event = Event.objects.get(type="tenants.api_key.rotated")
    for secret in (old["api_key"], new["api_key"]):
        assert secret.rpartition("_")[2] not in f"{entry.before} {entry.after} {event.data}"


def _holder(text: str, member: Principal) -> standing.Holder:
    return standing.holder_of(resolver.from_token(text, resolver.Asked(None, "", "192.0.2.1")), None)


def test_without_an_overlap_the_old_secret_ends_at_once(member: Principal) -> None:
    old = made(member)
    assert status(old["api_key"]) == 200
    new = client(member).post(f"{PATH}/{old['id']}/rotate", {"overlap_seconds": 0}, format="json").json()
    assert (status(old["api_key"]), status(new["data"]["api_key"])) == (401, 200)


def test_of_two_rotations_the_oldest_secret_ends(member: Principal) -> None:
    first = made(member)
    rotate = f"{PATH}/{first['id']}/rotate"
    second = client(member).post(rotate, {"overlap_seconds": 600}, format="json").json()["data"]
    third = client(member).post(rotate, {}, format="json").json()["data"]
    found = [status(key["api_key"]) for key in (first, second, third)]
    assert found == [401, 200, 200]
    assert client(member).delete(f"{PATH}/{first['id']}").status_code == 204
    assert [status(key["api_key"]) for key in (second, third)] == [401, 401]


@pytest.mark.parametrize("wrong", [-1, 604_801, "soon", None, 1.5])
def test_an_overlap_has_bounds(member: Principal, wrong: object) -> None:
    key = made(member)
    answer = client(member).post(f"{PATH}/{key['id']}/rotate", {"overlap_seconds": wrong}, format="json")
    assert answer.status_code == 400 and "overlap_seconds" in answer.json()["errors"]
    assert status(key["api_key"]) == 200


def test_nobody_rotates_anothers_key_to_act_as_them(member: Principal) -> None:
    key = made(member)
    admin = factories.member(member.tenant)
    for other, code in ((admin, "not_the_owner"), (factories.staff(), "not_the_owner")):
        answer = client(other, **{"X-Tenant": member.tenant.slug}).post(
            f"{PATH}/{key['id']}/rotate", {}, format="json"
        )
        assert (answer.status_code, answer.json()["code"]) == (403, code)


def test_a_narrowed_key_rotates_no_wider_one(member: Principal) -> None:
    wide = made(member)
    narrow = made(member, permissions=["api_key.write"])["api_key"]
    elsewhere = made(member, allowed_networks=["192.0.2.1"])["api_key"]
    short = made(member, expires_at=(timezone.now() + timedelta(hours=1)).isoformat())["api_key"]
    for text in (narrow, elsewhere, short):
        answer = with_key(text).post(f"{PATH}/{wide['id']}/rotate", {}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing")
    assert status(wide["api_key"]) == 200


def test_a_key_that_has_ended_is_not_rotated_or_changed(member: Principal) -> None:
    key = made(member)
    client(member).delete(f"{PATH}/{key['id']}")
    for answer in (
        client(member).post(f"{PATH}/{key['id']}/rotate", {}, format="json"),
        client(member).patch(f"{PATH}/{key['id']}", {"name": "x"}, format="json"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "key_ended")


def test_a_key_is_renamed_and_narrowed_but_not_widened(member: Principal) -> None:
    key = made(member, permissions=["tenant.read", "storage.bucket.read"])
    path = f"{PATH}/{key['id']}"
    ends = (timezone.now() + timedelta(days=1)).isoformat()
    changes = {
        "name": "other",
        "permissions": ["tenant.read"],
        "expires_at": ends,
        "allowed_networks": ["10.0.0.0/8"],
    }
    found = client(member).patch(path, changes, format="json").json()["data"]
    assert (found["name"], found["permissions"], found["allowed_networks"]) == (
        "other",
        ["tenant.read"],
        ["10.0.0.0/8"],
    )
    assert status(key["api_key"]) == 401 and status(key["api_key"], "10.1.1.1") == 200
    later = (timezone.now() + timedelta(days=2)).isoformat()
    for field, wrong in (
        ("permissions", ["tenant.read", "storage.bucket.read"]),
        ("permissions", None),
        ("permissions", ["nonsense"]),
        ("expires_at", later),
        ("expires_at", None),
        ("expires_at", (timezone.now() - timedelta(days=1)).isoformat()),
        ("name", ""),
        ("name", 5),
        ("prefix", "abc"),
        ("secret", "x"),
    ):
        answer = client(member).patch(path, {field: wrong}, format="json")
        assert answer.status_code == 400 and field in answer.json()["errors"], (field, wrong)
    assert client(member).get(path).json()["data"]["permissions"] == ["tenant.read"]
    # Its owner may let it in from elsewhere, signed in; nobody else, and no key.
    wider: dict[str, list[str]] = {"allowed_networks": []}
    admin = client(factories.member(member.tenant))
    assert admin.patch(path, wider, format="json").status_code == 400
    assert with_key(made(member)["api_key"]).patch(path, wider, format="json").status_code == 400
    assert client(member).patch(path, wider, format="json").status_code == 200


def test_a_key_makes_no_key_beyond_its_own_addresses_and_end(member: Principal) -> None:
    ends = timezone.now() + timedelta(hours=1)
    bound = made(member, allowed_networks=["192.0.2.0/24"], expires_at=ends.isoformat())["api_key"]
    follows = with_key(bound).post(PATH, {"name": "child"}, format="json").json()["data"]
    found = client(member).get(f"{PATH}/{follows['id']}").json()["data"]
    assert found["allowed_networks"] == ["192.0.2.0/24"] and found["expires_at"][:16] == ends.isoformat()[:16]
    later = (ends + timedelta(hours=1)).isoformat()
    for field, wrong in (("allowed_networks", ["10.0.0.0/8"]), ("expires_at", later)):
        answer = with_key(bound).post(PATH, {"name": "x", field: wrong}, format="json")
        assert answer.status_code == 400 and field in answer.json()["errors"]
    inside = {"name": "x", "allowed_networks": ["192.0.2.8/29"]}
    assert with_key(bound).post(PATH, inside, format="json").status_code == 201


def test_a_key_makes_no_s3_key_beyond_its_own_reach(member: Principal) -> None:
    path = API + "storage/access-keys"
    ends = timezone.now() + timedelta(hours=1)
    bound = made(member, allowed_networks=["192.0.2.0/24"], expires_at=ends.isoformat())["api_key"]
    assert with_key(bound).post(path, {"name": "bound"}, format="json").status_code == 201
    narrow = made(member, permissions=["storage.access_key.write", "storage.object.read"])["api_key"]
    assert with_key(narrow).post(path, {"name": "x"}, format="json").status_code == 201
    from storage.models import AccessKey

    with tenant_scope(member.tenant.pk):
        child = AccessKey.objects.get(name="bound")
        assert child.allowed_networks == ["192.0.2.0/24"] and child.expires_at == ends
        child = AccessKey.objects.get(name="x")
        assert child.permissions == ["storage.access_key.write", "storage.object.read"]


def test_staff_have_no_keys_where_they_are_no_members() -> None:
    tenant = factories.tenant()
    answer = client(factories.staff(), **{"X-Tenant": tenant.slug}).post(PATH, {"name": "x"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_a_member")


def test_a_role_of_the_tenants_own_bounds_its_keys(member: Principal) -> None:
    with tenant_scope(member.tenant.pk):
        role = Role.objects.create(
            tenant=member.tenant,
            slug="clerk",
            name="Clerk",
            permissions=["api_key.write"],
            granted=["api_key.write"],
        )
        Membership.objects.filter(user=member.user).update(role=role)
    answer = client(member).post(PATH, {"name": "x", "permissions": ["tenant.read"]}, format="json")
    assert answer.status_code == 400 and "permissions" in answer.json()["errors"]
    text = made(member)["api_key"]
    assert with_key(text).get(API + "auth/me").json()["data"]["permissions"] == ["api_key.write"]


def test_an_open_stream_ends_where_its_address_is_no_longer_let_in(member: Principal) -> None:
    key = made(member)
    holder = _holder(key["api_key"], member)
    assert standing.renew(holder).user == member.user
    path, elsewhere = f"{PATH}/{key['id']}", {"allowed_networks": ["198.51.100.0/24"]}
    assert client(member).patch(path, elsewhere, format="json").status_code == 200
    with pytest.raises(Unauthenticated):
        standing.renew(holder)
    assert standing.renew(holder.at("198.51.100.7")).user == member.user


def test_a_secret_is_kept_as_an_argon2_hash_that_costs(product_key_hasher: PasswordHasher) -> None:
    """Nineteen MiB and two rounds, as OWASP asks; what an unknown key is compared with costs the same."""
    kept = product_key_hasher.hash("a secret")
    assert product_key_hasher.verify(kept, "a secret")
    costs = "$argon2id$v=19$m=19456,t=2,p=1$"
    assert kept.startswith(costs) and key_secrets._NOBODYS.startswith(costs)
