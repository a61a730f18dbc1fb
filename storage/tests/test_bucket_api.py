"""Settings, policies and use of buckets through the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from gateway.db.scope import platform_scope, tenant_scope
from storage.models import Bucket, UsageSample
from storage.services import backends
from tenants.models import AuditEntry
from tenants.principal import Principal
from tests import factories

pytestmark = pytest.mark.django_db

BUCKETS = "/api/v1/storage/buckets"
PUBLIC_READ: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": {
        "Sid": "Read",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::docs/public/*",
    },
}


@pytest.fixture
def admin() -> Principal:
    backends.ensure_default_backends()
    return factories.member(factories.tenant())


@pytest.fixture
def bucket(admin: Principal) -> str:
    made = factories.client(admin).post(BUCKETS, {"name": "docs"}, format="json").json()["data"]
    return f"{BUCKETS}/{made['id']}"


def sent(who: Principal, method: str, path: str, body: Any = None) -> Any:
    answer = getattr(factories.client(who), method)(path, body, format="json")
    return answer.status_code, answer.json().get("data", answer.json()) if answer.content else None


def test_settings_change_together_or_not_at_all(admin: Principal, bucket: str) -> None:
    wanted = {
        "versioning": "Enabled",
        "object_lock": True,
        "default_retention": {"mode": "GOVERNANCE", "days": 3},
        "encryption": "AES256",
        "tags": {"team": "a"},
        "cors": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://a.example"]}],
        "public_access_block": {"BlockPublicPolicy": True},
        "quota_objects": 10,
    }
    status, changed = sent(admin, "patch", bucket, wanted)
    assert status == 200, changed
    assert {name: changed[name] for name in wanted} == wanted | {
        "public_access_block": {
            "BlockPublicAcls": False,
            "IgnorePublicAcls": False,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": False,
        },
    }
    assert sent(admin, "get", bucket)[1] == changed
    status, refused = sent(
        admin, "patch", bucket, {"tags": {"team": "b"}, "cors": [{"AllowedMethods": ["GET"]}]}
    )
    assert (status, list(refused["errors"])) == (400, ["cors"])
    assert sent(admin, "get", bucket)[1] == changed
    with tenant_scope(admin.tenant.pk):
        assert AuditEntry.objects.filter(action="storage.bucket.update").count() == 7


@pytest.mark.parametrize(
    ("wanted", "field", "status"),
    [
        ({"versioning": "enabled"}, "versioning", 400),
        ({"object_lock": True}, None, 409),
        ({"default_retention": {"mode": "GOVERNANCE", "days": 1}}, "default_retention", 400),
        ({"default_retention": {"mode": "KEEP"}}, "default_retention.mode", 400),
        ({"encryption": "aws:kms"}, "encryption", 400),
        ({"tags": {"aws:x": "y"}}, "tags", 400),
        ({"lifecycle": [{"Status": "Enabled"}]}, "lifecycle", 400),
        ({"notifications": {"Queue": 1}}, "notifications", 400),
        ({"quota_bytes": -1}, "quota_bytes", 400),
        ({"colour": "red"}, "colour", 400),
    ],
)
def test_a_wrong_setting_is_named(
    admin: Principal, bucket: str, wanted: Any, field: str | None, status: int
) -> None:
    told, refused = sent(admin, "patch", bucket, wanted)
    assert told == status, refused
    assert field is None or field in refused["errors"]


def test_object_lock_stays(admin: Principal, bucket: str) -> None:
    assert sent(admin, "patch", bucket, {"versioning": "Enabled", "object_lock": True})[0] == 200
    status, refused = sent(admin, "patch", bucket, {"object_lock": False})
    assert (status, refused["code"]) == (400, "object_lock_stays")
    assert sent(admin, "patch", bucket, {"versioning": "Suspended"})[0] == 409


NO_POLICY: dict[str, Any] = {"policy": None, "is_public": False, "warnings": []}


def test_what_a_policy_says_in_vain_is_told(admin: Principal, bucket: str) -> None:
    deny = {
        **PUBLIC_READ["Statement"],
        "Effect": "Deny",
        "Sid": "lock",
        "Action": ["s3:GetObject", "s3:ListBucket"],
    }
    status, shown = sent(admin, "put", f"{bucket}/policy", {"policy": {**PUBLIC_READ, "Statement": deny}})
    assert status == 200
    (warning,) = shown["warnings"]
    assert "Statement 1 (lock) has no effect on s3:ListBucket, which is asked of the bucket" in warning
    assert sent(admin, "get", f"{bucket}/policy")[1]["warnings"] == [warning]


def test_a_policy_comes_and_goes(admin: Principal, bucket: str) -> None:
    assert sent(admin, "get", f"{bucket}/policy") == (200, NO_POLICY)
    assert sent(admin, "put", f"{bucket}/policy", {"policy": PUBLIC_READ}) == (
        200,
        {"policy": PUBLIC_READ, "is_public": True, "warnings": []},
    )
    assert sent(admin, "get", bucket)[1]["known_to_everybody"] is True
    wrong = PUBLIC_READ | {"Statement": {"Effect": "Allow"}}
    status, refused = sent(admin, "put", f"{bucket}/policy", {"policy": wrong})
    assert (status, refused["code"], list(refused["errors"])) == (400, "malformed_policy", ["policy"])
    assert sent(admin, "delete", f"{bucket}/policy")[0] == 204
    assert sent(admin, "get", bucket)[1]["known_to_everybody"] is False


def test_two_tenants_cannot_open_buckets_of_one_name(admin: Principal, bucket: str) -> None:
    other = factories.member(factories.tenant())
    theirs = sent(other, "post", BUCKETS, {"name": "docs"})[1]["id"]
    assert sent(admin, "put", f"{bucket}/policy", {"policy": PUBLIC_READ})[0] == 200
    status, refused = sent(other, "put", f"{BUCKETS}/{theirs}/policy", {"policy": PUBLIC_READ})
    assert (status, refused["code"]) == (409, "bucket_name_claimed")


def test_who_may_do_what(admin: Principal, bucket: str) -> None:
    viewer = factories.member(admin.tenant, "viewer")

    def ask(who: str, action: str, **more: Any) -> Any:
        body = {"principal": who, "action": action, **more}
        status, found = sent(admin, "post", f"{bucket}/policy/simulate", body)
        assert status == 200, found
        return found["allowed"], found["reason"], found["statement"]

    assert ask("anonymous", "s3:GetObject", key="public/a") == (False, "not_granted", "")
    assert ask(viewer.label, "s3:GetObject", key="a") == (True, "role", "")
    assert ask(viewer.label, "s3:PutObject", key="a") == (False, "role_lacks", "")
    draft = PUBLIC_READ
    assert ask("anonymous", "s3:GetObject", key="public/a", policy=draft) == (
        True,
        "policy_allow",
        "Statement 1 (Read)",
    )
    assert ask("arn:aws:iam::elsewhere:user/eve", "s3:GetObject", key="public/a", policy=draft)[0] is True
    deny = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::docs/*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    }  # fmt: skip
    assert sent(admin, "put", f"{bucket}/policy", {"policy": deny})[0] == 200
    assert ask(viewer.label, "s3:GetObject", key="a", secure=False)[1] == "policy_deny"
    assert ask(viewer.label, "s3:GetObject", key="a")[1] == "role"


def test_the_simulator_is_told_what_a_request_says(admin: Principal, bucket: str) -> None:
    def allowed(action: str, resource: str, condition: Any, key: str = "", **context: str) -> bool:
        row = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource}
        policy = {"Version": "2012-10-17", "Statement": {**row, "Condition": condition}}
        body = {"principal": "anonymous", "action": action, "key": key, "policy": policy, "context": context}
        status, found = sent(admin, "post", f"{bucket}/policy/simulate", body)
        assert status == 200, found
        return bool(found["allowed"])

    lists = ("s3:ListBucket", "arn:aws:s3:::docs", {"StringLike": {"s3:prefix": "photos/*"}})
    assert allowed(*lists, **{"s3:prefix": "photos/2026"})
    assert not allowed(*lists, **{"S3:Prefix": "films/"})
    assert not allowed(*lists)
    teams = {"ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": ["team"]}}
    puts = ("s3:PutObject", "arn:aws:s3:::docs/*", teams, "a")
    assert allowed(*puts, **{"s3:RequestObjectTag/team": "red"})
    assert not allowed(*puts, **{"s3:RequestObjectTag/team": "red", "s3:RequestObjectTag/Team": "red"})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"principal": "anonymous", "action": "s3:GetObject", "context": {"aws:Nothing": "x"}}, "context"),
        ({"principal": "nobody-here", "action": "s3:GetObject"}, "principal"),
        ({"principal": "anonymous", "action": "s3:Fly"}, "action"),
        ({"principal": "anonymous", "action": "s3:GetObject", "policy": {"Version": "1"}}, "policy"),
        ({"principal": "anonymous", "action": "s3:GetObject", "source_ip": "here"}, "source_ip"),
    ],
)
def test_a_wrong_question_is_named(admin: Principal, bucket: str, body: Any, field: str) -> None:
    status, refused = sent(admin, "post", f"{bucket}/policy/simulate", body)
    assert (status, list(refused["errors"])) == (400, [field])


def test_use_and_its_history(admin: Principal, bucket: str) -> None:
    now = timezone.now()
    with platform_scope("tests"):
        row = Bucket.objects.get(tenant=admin.tenant)
        for days in (50, 2, 1):
            UsageSample.objects.create(
                tenant=admin.tenant, bucket=row, at=now - timedelta(days=days), bytes=days, objects_count=1
            )
    found = sent(admin, "get", f"{bucket}/usage?days=30")[1]
    assert (found["bytes"], found["quota_bytes"]) == (0, None)
    assert [sample["bytes"] for sample in found["history"]] == [2, 1]
    assert sent(admin, "get", f"{bucket}/usage?days=0")[0] == 400
