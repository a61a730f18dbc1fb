"""The verbs of bucket settings beside S3's door: their errors as the API tells them, limits, features, backends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from storage.models import Backend, Bucket
from storage.services import bucket_settings, buckets
from tenants.principal import Principal
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Principal:
    with platform_scope("tests"):
        Backend.objects.create(name="here", kind="local", is_default=True)
        Backend.objects.create(name="far", kind="s3", endpoint="https://s3.example.org")
    return factories.member(factories.tenant(), "admin")


@pytest.fixture
def bucket(owner: Principal) -> Any:
    with tenant_scope(owner.tenant.pk):
        yield buckets.create_bucket("docs", actor=owner)


Verb = Callable[[Bucket, Principal], Bucket]

BAD: list[tuple[str, Verb, type[DomainError], str, str]] = [
    (
        "versioning",
        lambda b, a: bucket_settings.set_versioning(b, "", actor=a),
        Invalid,
        "illegal_versioning_configuration_exception",
        "versioning",
    ),
    (
        "retention",
        lambda b, a: bucket_settings.set_object_lock(b, {"mode": "GOVERNANCE", "days": 0}, actor=a),
        Invalid,
        "invalid_retention_period",
        "default_retention",
    ),
    (
        "lock",
        lambda b, a: bucket_settings.set_object_lock(b, None, actor=a),
        Conflict,
        "invalid_bucket_state",
        "",
    ),
    (
        "encryption",
        lambda b, a: bucket_settings.set_encryption(b, "aws:kms", actor=a),
        Invalid,
        "not_implemented",
        "encryption",
    ),
    (
        "policy",
        lambda b, a: bucket_settings.set_policy(b, "{", actor=a),
        Invalid,
        "malformed_policy",
        "policy",
    ),
    (
        "flags",
        lambda b, a: bucket_settings.set_public_access_block(b, {"Other": True}, actor=a),
        Invalid,
        "malformed_xml",
        "public_access_block",
    ),
    ("cors", lambda b, a: bucket_settings.set_cors(b, [{}], actor=a), Invalid, "malformed_xml", "cors"),
    (
        "tags",
        lambda b, a: bucket_settings.set_tags(b, {"aws:x": ""}, actor=a),
        Invalid,
        "invalid_tag",
        "tags",
    ),
    (
        "lifecycle",
        lambda b, a: bucket_settings.set_lifecycle(
            b, [{"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 0}}], actor=a
        ),
        Invalid,
        "invalid_argument",
        "lifecycle",
    ),
    (
        "notifications",
        lambda b, a: bucket_settings.set_notifications(b, {"Other": {}}, actor=a),
        Invalid,
        "malformed_xml",
        "notifications",
    ),
    (
        "quota",
        lambda b, a: bucket_settings.set_quota(b, quota_bytes=-1, quota_objects=None, actor=a),
        Invalid,
        "invalid",
        "quota_bytes",
    ),
]


@pytest.mark.parametrize(
    ("verb", "kind", "code", "field"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_refusals(
    owner: Principal, bucket: Bucket, verb: Verb, kind: type[DomainError], code: str, field: str
) -> None:
    with pytest.raises(kind) as caught:
        verb(bucket, owner)
    assert caught.value.code == code
    assert list(caught.value.errors) == ([field] if field else [])


def test_a_quota(owner: Principal, bucket: Bucket) -> None:
    changed = bucket_settings.set_quota(bucket, quota_bytes=10, quota_objects=0, actor=owner)
    assert (changed.quota_bytes, changed.quota_objects) == (10, 0)
    changed = bucket_settings.set_quota(bucket, quota_bytes=None, quota_objects=None, actor=owner)
    assert (changed.quota_bytes, changed.quota_objects) == (None, None)


def public(name: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_tenant_without_public_buckets(owner: Principal, bucket: Bucket) -> None:
    with platform_scope("tests"):
        settings = owner.tenant.settings
        settings.disabled_features = ["public_buckets"]
        settings.save()
    assert all(bucket_settings.public_access_of(bucket).values())
    with pytest.raises(Forbidden) as caught:
        bucket_settings.set_policy(bucket, public("docs"), actor=owner)
    assert caught.value.code == "public_policy_blocked"


def test_a_name_is_claimed_with_the_policy(owner: Principal, bucket: Bucket) -> None:
    assert bucket_settings.set_policy(bucket, public("docs"), actor=owner).public_name == "docs"
    other = factories.member(factories.tenant(), "admin")
    with tenant_scope(other.tenant.pk):
        second = buckets.create_bucket("docs", actor=other)
        with pytest.raises(Conflict) as caught:
            bucket_settings.set_policy(second, public("docs"), actor=other)
        assert caught.value.code == "bucket_name_claimed"
        second.refresh_from_db()
        assert (second.policy, second.public_name) == ("", None)
    assert bucket_settings.set_policy(bucket, "", actor=owner).public_name is None


def test_what_a_backend_cannot(owner: Principal) -> None:
    with tenant_scope(owner.tenant.pk):
        remote = buckets.create_bucket("remote", backend="far", actor=owner)
        for verb in (
            lambda: bucket_settings.set_versioning(remote, "Enabled", actor=owner),
            lambda: bucket_settings.set_encryption(remote, "AES256", actor=owner),
            lambda: buckets.create_bucket("locked", backend="far", object_lock=True, actor=owner),
        ):
            with pytest.raises(Invalid) as caught:
                verb()
            assert caught.value.code == "not_implemented"
        assert bucket_settings.set_tags(remote, {"a": "b"}, actor=owner).tags == {"a": "b"}


def test_another_tenants_bucket_is_not_there(bucket: Bucket) -> None:
    other = factories.member(factories.tenant(), "admin")
    with tenant_scope(other.tenant.pk), pytest.raises(NotFound):
        bucket_settings.set_tags(bucket, {}, actor=other)


def test_a_bucket_made_with_lock_and_tags(owner: Principal) -> None:
    with tenant_scope(owner.tenant.pk):
        made = buckets.create_bucket("locked", object_lock=True, tags={"a": "b"}, actor=owner)
    assert (made.object_lock, made.versioning, made.tags) == (True, "Enabled", {"a": "b"})
