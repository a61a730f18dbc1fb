"""Objects and their versions through the API: looked at, tagged, locked, deleted, brought back."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from gateway.db.scope import tenant_scope
from realtime.models import Event
from storage.models import Object, ObjectVersion
from storage.services import backends, bucket_settings, bucket_updates, buckets
from tenants.models import AuditEntry
from tenants.principal import Principal
from tests import factories

from .test_api import make_object

pytestmark = pytest.mark.django_db

OBJECTS = "/api/v1/storage/objects"


@pytest.fixture
def admin() -> Principal:
    backends.ensure_default_backends()
    who = factories.member(factories.tenant())
    with tenant_scope(who.tenant.pk):
        made = buckets.create_bucket("docs", object_lock=True, actor=who)
        bucket_updates.update_bucket(made, tags={"a": "b"}, actor=who)
    return who


def sent(who: Principal, method: str, path: str = "", body: Any = None, **query: str) -> Any:
    if method in ("get", "delete"):
        path += f"?{urlencode({'bucket': 'docs', **query})}"
        answer = getattr(factories.client(who), method)(OBJECTS + path)
    else:
        answer = getattr(factories.client(who), method)(
            OBJECTS + path, {"bucket": "docs", **body}, format="json"
        )
    return answer.status_code, answer.json().get("data", answer.json()) if answer.content else None


def versions(who: Principal, **query: str) -> list[dict[str, Any]]:
    status, found = sent(who, "get", "/versions", **query)
    assert status == 200, found
    return list(found["versions"])


def test_versions_of_a_key(admin: Principal) -> None:
    for body in (b"1", b"22"):
        make_object(admin.tenant, "docs", "a/b", body)
    newest, older = versions(admin)
    assert [(v["size"], v["is_latest"]) for v in (newest, older)] == [(2, True), (1, False)]
    details = sent(admin, "get", "/details", key="a/b", version_id=older["version_id"])[1]
    assert (details["size"], details["is_latest"], details["content_type"]) == (1, False, "text/plain")
    assert sent(admin, "delete", key="a/b")[0] == 204
    assert sent(admin, "get", "/details", key="a/b")[1]["is_delete_marker"] is True
    assert sent(admin, "delete", key="a/b")[0] == 404
    status, back = sent(admin, "post", "/undelete", {"key": "a/b"})
    assert (status, back["size"]) == (200, 2)
    assert sent(admin, "post", "/undelete", {"key": "a/b"})[1]["code"] == "not_deleted"
    assert sent(admin, "delete", key="a/b", version_id=older["version_id"])[0] == 204
    assert sent(admin, "delete", key="a/b", version_id=older["version_id"])[1]["code"] == "no_such_version"
    assert [v["version_id"] for v in versions(admin)] == [newest["version_id"]]
    with tenant_scope(admin.tenant.pk):
        kinds = list(Event.objects.filter(type__startswith="storage.object.").values_list("type", flat=True))
        assert AuditEntry.objects.filter(action="storage.object.delete").count() == 3
    assert kinds == ["storage.object.created"] * 2 + ["storage.object.deleted"] * 3


def test_a_level_of_versions_goes_on_where_it_ended(admin: Principal) -> None:
    for key in ("a", "a", "a", "b/1", "b/2", "c"):
        make_object(admin.tenant, "docs", key)
    seen: list[str] = []
    after: dict[str, str] | None = {}
    while after is not None:
        found = sent(admin, "get", "/versions", delimiter="/", limit="2", **after)[1]
        seen += [v["key"] for v in found["versions"]] + found["prefixes"]
        after = (
            {"after_key": found["next_key"], "after_version": found["next_version"]}
            if found["next_key"]
            else None
        )
    assert seen == ["a", "a", "a", "b/", "c"]


def test_tags(admin: Principal) -> None:
    make_object(admin.tenant, "docs", "a")
    assert sent(admin, "put", "/tags", {"key": "a", "tags": {"kind": "x"}}) == (200, {"tags": {"kind": "x"}})
    assert sent(admin, "get", "/tags", key="a") == (200, {"tags": {"kind": "x"}})
    assert sent(admin, "put", "/tags", {"key": "b", "tags": {}})[1]["code"] == "no_such_key"
    status, refused = sent(admin, "put", "/tags", {"key": "a", "tags": {"aws:x": ""}})
    assert (status, list(refused["errors"])) == (400, ["tags"])
    assert sent(admin, "put", "/tags", {"key": "a", "tags": {}})[1] == {"tags": {}}


def test_what_is_locked_stays(admin: Principal) -> None:
    make_object(admin.tenant, "docs", "a")
    version = versions(admin)[0]["version_id"]
    until = (timezone.now() + timedelta(days=1)).isoformat()
    member = factories.member(admin.tenant, "member")
    governed = {"key": "a", "version_id": version, "mode": "GOVERNANCE", "until": until}
    assert sent(member, "put", "/retention", governed)[0] == 403
    status, locked = sent(admin, "put", "/retention", governed)
    assert (status, locked["lock"]["mode"]) == (200, "GOVERNANCE")
    assert sent(admin, "delete", key="a", version_id=version)[1]["code"] == "object_locked"
    shorter = {**governed, "mode": None, "until": None}
    assert sent(admin, "put", "/retention", shorter)[1]["code"] == "object_locked"
    assert sent(admin, "put", "/legal-hold", {"key": "a", "version_id": version, "held": True})[0] == 200
    bypass = {"key": "a", "version_id": version, "bypass_governance": "true"}
    assert sent(member, "delete", **bypass)[0] == 403
    assert sent(admin, "delete", **bypass)[1]["code"] == "object_locked"
    assert sent(admin, "put", "/legal-hold", {"key": "a", "version_id": version, "held": False})[0] == 200
    assert sent(admin, "delete", **bypass)[0] == 204
    assert versions(admin) == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"mode": "KEEP", "until": "2100-01-01T00:00:00Z"}, "mode"),
        ({"mode": "GOVERNANCE", "until": "2000-01-01T00:00:00Z"}, "until"),
        ({"mode": "GOVERNANCE", "until": None}, "until"),
        ({"mode": None, "until": "2100-01-01T00:00:00Z"}, "mode"),
    ],
)
def test_a_wrong_retention_is_named(admin: Principal, wrong: Any, field: str) -> None:
    make_object(admin.tenant, "docs", "a")
    status, refused = sent(admin, "put", "/retention", {"key": "a", **wrong})
    assert (status, list(refused["errors"])) == (400, [field])


def test_many_at_once(admin: Principal) -> None:
    for key in ("a/1", "a/2", "b"):
        make_object(admin.tenant, "docs", key)
    listed = {"objects": [{"key": "b"}, {"key": "b"}, {"key": "gone"}]}
    status, outcome = sent(admin, "post", "/bulk-delete", listed)
    assert status == 200, outcome
    assert (outcome["deleted"], outcome["refused"], outcome["next_key"]) == (
        1 + 1,
        [],
        None,
    )  # a marker for each
    assert sent(admin, "post", "/bulk-delete", {"prefix": "a/"})[1]["deleted"] == 2
    with tenant_scope(admin.tenant.pk):
        assert Object.objects.count() == 0
        assert ObjectVersion.objects.count() == 7
    held = versions(admin, prefix="a/1")[1]["version_id"]
    sent(admin, "put", "/legal-hold", {"key": "a/1", "version_id": held, "held": True})
    outcome = sent(admin, "post", "/bulk-delete", {"prefix": "", "all_versions": True})[1]
    assert (outcome["deleted"], [row["version_id"] for row in outcome["refused"]]) == (6, [held])
    for wrong in ({}, {"prefix": "", "objects": []}):
        status, refused = sent(admin, "post", "/bulk-delete", wrong)
        assert (status, list(refused["errors"])) == (400, ["objects"]), wrong
    assert sent(admin, "post", "/bulk-delete", {"objects": [{"key": "x"}] * 1001})[0] == 400


def test_an_explicit_deny_binds_the_api_too(admin: Principal) -> None:
    make_object(admin.tenant, "docs", "keep/a")
    make_object(admin.tenant, "docs", "b")
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Deny", "Principal": "*",
            "Action": ["s3:DeleteObject*", "s3:PutObjectTagging", "s3:*ObjectVersion*"],
            "Resource": "arn:aws:s3:::docs/keep/*",
        },
    }  # fmt: skip
    with tenant_scope(admin.tenant.pk):
        bucket_settings.set_policy(buckets.get_bucket("docs", actor=admin), json.dumps(policy), actor=admin)
    assert sent(admin, "delete", key="keep/a")[1]["code"] == "policy_denied"
    assert sent(admin, "put", "/tags", {"key": "keep/a", "tags": {}})[1]["code"] == "policy_denied"
    version = {"key": "keep/a", "version_id": "null"}
    assert sent(admin, "get", "/details", key="keep/a")[0] == 200
    assert sent(admin, "get", "/details", **version)[1]["code"] == "policy_denied"
    assert sent(admin, "get", "/tags", **version)[1]["code"] == "policy_denied"
    assert sent(admin, "put", "/tags", {**version, "tags": {}})[1]["code"] == "policy_denied"
    outcome = sent(admin, "post", "/bulk-delete", {"prefix": ""})[1]
    assert (outcome["deleted"], [row["key"] for row in outcome["refused"]]) == (1, ["keep/a"])


def test_a_link_of_a_version(admin: Principal) -> None:
    for body in (b"1", b"22"):
        make_object(admin.tenant, "docs", "a", body)
    older = versions(admin)[1]["version_id"]
    status, link = sent(admin, "post", "/links", {"key": "a", "version_id": older, "expires_in": 43_200})
    assert status == 201
    assert f"versionId={older}" in link["url"]
    assert sent(admin, "post", "/links", {"key": "a", "version_id": "none"})[1]["code"] == "no_such_version"
