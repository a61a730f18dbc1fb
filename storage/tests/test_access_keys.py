"""What access keys may be limited to, by whom they are changed and rotated."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from gateway.db.scope import tenant_scope
from gateway.errors import Conflict, DomainError, Forbidden, Invalid
from storage.models import AccessKey
from storage.services import access_keys, key_limits
from storage.services.access_key_reach import Limits
from tenants.models import Tenant
from tenants.principal import Principal
from tenants.services import service_accounts
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def member(tenant: Tenant) -> Principal:
    return factories.member(tenant, "member")


def issue(actor: Principal, **limits: Any) -> AccessKey:
    with tenant_scope(actor.tenant.pk):
        return access_keys.issue_access_key("k", Limits(**limits), actor=actor)[0]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("buckets", []),
        ("buckets", ["A"]),
        ("buckets", ["x" * 64]),
        ("buckets", ["Acme:docs"]),
        ("buckets", [":docs"]),
        ("buckets", ["acme:x"]),
        ("prefixes", [""]),
        ("prefixes", ["x" * 1025]),
        ("prefixes", ["a\0"]),
        ("actions", ["GetObject"]),
        ("actions", ["s3:Nothing"]),
        ("actions", ["s3:Get*"] * 0),
        ("permissions", ["no.such"]),
        ("permissions", ["user.write"]),
        ("allowed_networks", ["nonsense"]),
        ("expires_at", timezone.now() - timedelta(hours=1)),
    ],
)
def test_what_is_no_limit_is_refused_by_its_field(member: Principal, field: str, wrong: Any) -> None:
    with pytest.raises(Invalid) as refused:
        issue(member, **{field: wrong})
    assert list(refused.value.errors) == [field]


def test_limits_are_kept_in_one_form(member: Principal) -> None:
    key = issue(
        member,
        buckets=["docs", "docs"],
        prefixes=["in/"],
        actions=["s3:Get*", "s3:putobject"],
        allowed_networks=["192.0.2.1"],
        permissions=["storage.object.read"],
    )
    assert (key.buckets, key.prefixes) == (["docs"], ["in/"])
    assert (key.actions, key.allowed_networks) == (["s3:Get*", "s3:putobject"], ["192.0.2.1/32"])


def test_its_owner_changes_it_and_others_only_narrow(tenant: Tenant, member: Principal) -> None:
    key, admin = issue(member, buckets=["docs"], actions=["s3:Get*"]), factories.member(tenant)
    narrower = {"actions": ["s3:GetObject"], "prefixes": ["in/"], "allowed_networks": ["192.0.2.0/24"]}
    wider: list[dict[str, Any]] = [
        {"actions": None},
        {"actions": ["s3:*"]},
        {"buckets": ["docs", "other"]},
        {"prefixes": ["i"]},
        {"allowed_networks": []},
    ]
    with tenant_scope(tenant.pk):
        key = access_keys.update_access_key(key, {"name": "new", **narrower}, actor=admin)
        assert (key.name, key.actions, key.prefixes) == ("new", ["s3:GetObject"], ["in/"])
        for change in wider:
            with pytest.raises(Invalid):
                access_keys.update_access_key(key, change, actor=admin)
            access_keys.update_access_key(key, change, actor=member)
            key = access_keys.update_access_key(key, {"buckets": ["docs"], **narrower}, actor=member)
        with pytest.raises(Forbidden):
            access_keys.update_access_key(key, {"name": "x"}, actor=factories.member(tenant, "member"))


def test_a_rotation_gives_another_key_with_the_same_limits(member: Principal) -> None:
    key = issue(member, prefixes=["in/"])
    with tenant_scope(member.tenant.pk):
        made, secret = access_keys.rotate_access_key(key, timedelta(hours=1), actor=member)
        key.refresh_from_db()
        assert made.prefixes == ["in/"] and made.access_key_id != key.access_key_id
        assert access_keys.secret_of(made) == secret
        assert key.expires_at is not None and key.revoked_at is None
        last, _ = access_keys.rotate_access_key(made, timedelta(), actor=member)
        made.refresh_from_db()
        assert made.revoked_at is not None and last.revoked_at is None
        with pytest.raises(Conflict):
            access_keys.rotate_access_key(made, timedelta(), actor=member)
        with pytest.raises(Invalid):
            access_keys.rotate_access_key(last, timedelta(days=8), actor=member)
        with pytest.raises(Forbidden, match="owner"):
            access_keys.rotate_access_key(last, timedelta(), actor=factories.member(member.tenant))


def test_keys_of_service_accounts(tenant: Tenant, member: Principal) -> None:
    admin = factories.member(tenant)
    with tenant_scope(tenant.pk):
        robot = service_accounts.create("robot", "viewer", actor=admin)
        key, _ = access_keys.issue_access_key("ci", owner=robot, actor=admin)
        assert key.user == robot.user
        assert key in access_keys.visible(admin) and key not in access_keys.visible(member)
        with pytest.raises(DomainError):
            access_keys.issue_access_key("ci", owner=robot, actor=member)
        person = tenant.memberships.get(user=member.user)
        with pytest.raises(Invalid):
            access_keys.issue_access_key("theirs", owner=person, actor=admin)
        access_keys.revoke_access_key(key, actor=admin)


def test_a_wildcard_is_narrowed_by_what_it_stands_for() -> None:
    key_limits.within(["s3:GetObject", "s3:GetObject?cl"], ["s3:Get*"], "actions")
    key_limits.within(["s3:GetObject"], ["s3:GetObjec?"], "actions")
    for wider in ("s3:GetObjec*", "s3:*"):
        with pytest.raises(Invalid):
            key_limits.within([wider], ["s3:GetObjec?"], "actions")
