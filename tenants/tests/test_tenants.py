"""Tenants made, suspended, deleted and restored, with limits, settings and features."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from gateway.db.scope import platform_scope
from gateway.errors import Invalid
from realtime.models import Event
from storage.models import Backend
from storage.services import backends
from tenants.models import AuditEntry, Domain, Quota, Tenant, TenantSettings
from tests import factories
from tests.factories import client

pytestmark = pytest.mark.django_db
API = "/api/v1/"


def _of(tenant: Tenant) -> Tenant:
    with platform_scope("test"):
        return Tenant.objects.get(pk=tenant.pk)


def test_one_call_makes_a_tenant_with_domain_limits_and_settings() -> None:
    root = client(factories.staff())
    body = {
        "name": "Acme", "slug": "acme", "domain": "Files.Acme.example", "max_storage_gb": 1.5,
        "limits": {"users": 3, "devices": 2}, "settings": {"disabled_features": ["events"], "api_rate": 10},
    }  # fmt: skip
    made = root.post(API + "tenants", body, format="json")
    assert made.status_code == 201, made.content
    told = made.json()["data"]
    path = f"{API}tenants/{told['id']}"
    assert (told["domains"], told["limits"]["users"]) == (["files.acme.example"], 3)
    assert root.get(path).json()["data"] == told
    usage = root.get(path + "/usage").json()["data"]
    assert usage["limits"]["storage_bytes"] == 3 << 29
    assert (usage["limits"]["users"], usage["limits"]["devices"]) == (3, 2)
    assert "devices" not in usage["usage"]  # nothing counts them yet
    settings = root.get(path + "/settings").json()["data"]
    assert (settings["disabled_features"], settings["api_rate"]) == (["events"], 10)
    (domain,) = root.get(path + "/domains").json()["data"]
    assert (domain["hostname"], domain["state"], domain["method"]) == (
        "files.acme.example",
        "verified",
        "staff",
    )


@pytest.mark.parametrize(
    ("extra", "status", "field"),
    [
        ({"slug": "platform"}, 409, "slug"),
        ({"slug": "Not a slug"}, 400, "slug"),
        ({"name": 7}, 400, "name"),
        ({"domain": "taken.example.org"}, 409, "hostname"),
        ({"domain": "127.0.0.1"}, 400, "hostname"),
        ({"domain": "localhost"}, 400, "hostname"),
        ({"domain": "x.s3.localhost"}, 400, "hostname"),
        ({"max_storage_gb": -1}, 400, "max_storage_gb"),
        ({"max_storage_gb": 1, "limits": {"storage_bytes": 1}}, 400, "max_storage_gb"),
        ({"limits": {"rooms": 1}}, 400, "limits.rooms"),
        ({"limits": {"users": "3"}}, 400, "limits.users"),
        ({"limits": {"users": -1}}, 400, "limits.users"),
        ({"settings": {"disabled_features": ["teleport"]}}, 400, "disabled_features"),
        ({"settings": {"allowed_backends": ["nowhere"]}}, 400, "allowed_backends"),
        ({"settings": {"allowed_regions": ["no region!"]}}, 400, "allowed_regions"),
        ({"settings": {"audit_retention_days": 1}}, 400, "settings.audit_retention_days"),
        ({"settings": {"api_rate": True}}, 400, "settings.api_rate"),
        ({"status": "suspended"}, 400, "status"),
    ],
)
def test_bad_input_makes_nothing(extra: dict[str, Any], status: int, field: str) -> None:
    root = client(factories.staff())
    other = factories.tenant()
    answer = root.post(
        f"{API}tenants/{other.public_id}/domains", {"hostname": "taken.example.org"}, format="json"
    )
    assert answer.status_code == 201
    answer = root.post(API + "tenants", {"name": "New", "slug": "new"} | extra, format="json")
    assert answer.status_code == status, answer.content
    assert field in answer.json()["errors"], answer.json()
    with platform_scope("test"):
        assert not Tenant.objects.filter(slug="new").exists()
        assert Domain.objects.filter(hostname="taken.example.org").count() == 1


def test_a_deleted_tenant_is_refused_and_hidden_everywhere_and_comes_back() -> None:
    tenant, root = factories.tenant(), client(factories.staff())
    admin = factories.member(tenant)
    caller = client(admin)
    key = caller.post(API + "api-keys", {"name": "k"}, format="json").json()["data"]["api_key"]
    program = client(None, **{"X-API-Key": key})
    path = f"{API}tenants/{tenant.public_id}"
    assert program.get(API + "auth/me").status_code == 200
    deleted = root.delete(path)
    assert deleted.status_code == 200
    assert deleted.json()["data"]["status"] == "deleted"
    assert root.delete(path).json() == deleted.json()
    assert program.get(API + "auth/me").status_code == 401
    assert caller.get(API + "auth/me").status_code in (403, 404)
    staff_in_it = client(factories.staff(), **{"X-Tenant": tenant.slug})
    assert staff_in_it.get(API + "users").status_code == 404
    assert tenant.slug not in {t["slug"] for t in root.get(API + "tenants?per_page=500").json()["data"]}
    assert [t["slug"] for t in root.get(API + "tenants?status=deleted").json()["data"]] == [tenant.slug]
    for verb, where, body in (
        ("patch", path, {"name": "Other"}),
        ("patch", path, {"status": "active"}),
        ("patch", path + "/settings", {"require_second_factor": True}),
        ("post", path + "/domains", {"hostname": "a.example.org"}),
        ("post", path + "/users", {"username": "late"}),
        ("post", path + "/members", {"username": factories.member(factories.tenant()).label}),
    ):
        answer = getattr(root, verb)(where, body, format="json")
        assert (answer.status_code, answer.json()["code"]) == (409, "tenant_deleted"), where
    restored = root.post(path + "/restore")
    assert (restored.status_code, restored.json()["data"]["status"]) == (200, "active")
    assert program.get(API + "auth/me").status_code == 200
    assert root.post(path + "/restore").json()["code"] == "tenant_not_deleted"
    with platform_scope("test"):
        events = Event.objects.filter(
            tenant=tenant, type__in=["tenants.tenant.deleted", "tenants.tenant.restored"]
        )
        assert events.count() == 2
        actions = AuditEntry.objects.filter(tenant=tenant).values_list("action", flat=True)
        assert {"tenants.tenant.delete", "tenants.tenant.restore"} <= set(actions)


def test_a_suspended_tenant_comes_back_suspended() -> None:
    tenant, root = factories.tenant(), client(factories.staff())
    path = f"{API}tenants/{tenant.public_id}"
    root.patch(path, {"status": "suspended"}, format="json")
    root.delete(path)
    assert root.post(path + "/restore").json()["data"]["status"] == "suspended"
    assert root.patch(path, {"status": "active"}, format="json").json()["data"]["suspended_at"] is None


def test_what_is_due_to_be_purged_is_not_restored() -> None:
    tenant, root = factories.tenant(), client(factories.staff())
    path = f"{API}tenants/{tenant.public_id}"
    assert (
        root.post(path + "/purge", {"slug": tenant.slug}, format="json").json()["code"]
        == "tenant_not_deleted"
    )
    root.delete(path)
    assert root.post(path + "/purge", {"slug": "another"}, format="json").status_code == 400
    with platform_scope("test"):
        Tenant.objects.filter(pk=tenant.pk).update(purge_at=timezone.now() - timedelta(seconds=1))
    assert root.post(path + "/restore").json()["code"] == "tenant_purging"


@pytest.mark.parametrize("status", ["deleted", "purged", "frozen", 1, None])
def test_a_status_that_is_not_set_like_this(status: object) -> None:
    tenant, root = factories.tenant(), client(factories.staff())
    answer = root.patch(f"{API}tenants/{tenant.public_id}", {"status": status}, format="json")
    assert answer.status_code == 400
    assert "status" in answer.json()["errors"]
    assert _of(tenant).status == "active"


def test_the_platforms_own_tenant_stays() -> None:
    staff = factories.staff()
    root, path = client(staff), f"{API}tenants/{staff.tenant.public_id}"
    for answer in (root.delete(path), root.patch(path, {"status": "suspended"}, format="json")):
        assert (answer.status_code, answer.json()["code"]) == (409, "platform_tenant")


def test_admins_set_what_is_theirs_and_no_more() -> None:
    tenant = factories.tenant()
    admin, viewer = client(factories.member(tenant)), client(factories.member(tenant, "viewer"))
    path = f"{API}tenants/{tenant.public_id}/settings"
    assert viewer.patch(path, {"audit_retention_days": 90}, format="json").status_code == 403
    assert (
        admin.patch(path, {"audit_retention_days": 90}, format="json").json()["data"]["audit_retention_days"]
        == 90
    )
    for field, value in (("disabled_features", []), ("api_rate", 1), ("allowed_backends", None)):
        answer = admin.patch(path, {field: value}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing")
    assert admin.patch(path, {"unknown": 1}, format="json").status_code == 400
    assert admin.patch(path, {"audit_retention_days": 7}, format="json").status_code == 400
    foreign = f"{API}tenants/{factories.tenant().public_id}/settings"
    assert admin.get(foreign).status_code == admin.patch(foreign, {}, format="json").status_code == 404
    with platform_scope("test"):
        assert TenantSettings.objects.get(tenant=tenant).audit_retention_days == 90
        entry = AuditEntry.objects.get(tenant=tenant, action="tenants.settings.update")
        assert (entry.before, entry.after) == ({"audit_retention_days": None}, {"audit_retention_days": 90})


def test_admins_keep_the_audit_log_as_long_as_the_platform_does(settings: Any) -> None:
    settings.AUDIT_RETENTION_DAYS = 100
    tenant = factories.tenant()
    path = f"{API}tenants/{tenant.public_id}/settings"
    admin, root = client(factories.member(tenant)), client(factories.staff())
    for who, days, status in ((admin, 99, 400), (admin, 100, 200), (root, 50, 200), (admin, None, 200)):
        answer = who.patch(path, {"audit_retention_days": days}, format="json")
        assert answer.status_code == status, answer.content


def test_a_limit_below_what_is_used_takes_nothing_away_and_lets_nothing_in() -> None:
    tenant, root = factories.tenant(), client(factories.staff())
    admin = client(factories.member(tenant))
    for name in ("one", "two"):
        assert admin.post(API + "api-keys", {"name": name}, format="json").status_code == 201
    path = f"{API}tenants/{tenant.public_id}"
    assert root.patch(path, {"limits": {"api_keys": 1}}, format="json").status_code == 200
    assert admin.post(API + "api-keys", {"name": "three"}, format="json").json()["code"] == "quota_exceeded"
    assert admin.get(path + "/usage").json()["data"]["usage"]["api_keys"] == 2
    assert root.patch(path, {"limits": {"api_keys": None}}, format="json").status_code == 200
    assert admin.post(API + "api-keys", {"name": "three"}, format="json").status_code == 201
    assert admin.patch(path, {"limits": {"api_keys": 9}}, format="json").status_code == 403
    with platform_scope("test"):
        assert Quota.objects.get(tenant=tenant).api_keys is None


@pytest.mark.parametrize(
    ("feature", "method", "path", "body"),
    [
        ("storage", "get", "storage/buckets", None),
        ("storage", "post", "storage/access-keys", {"name": "k"}),
        ("events", "get", "events", None),
        ("domains", "post", "tenants/{id}/domains", {"hostname": "a.example.org"}),
    ],
)
def test_a_feature_that_is_off(feature: str, method: str, path: str, body: object) -> None:
    tenant, root = factories.tenant(), client(factories.staff())
    admin, staff_in_it = (
        client(factories.member(tenant)),
        client(factories.staff(), **{"X-Tenant": tenant.slug}),
    )
    settings, path = f"{API}tenants/{tenant.public_id}/settings", API + path.format(id=tenant.public_id)
    root.patch(settings, {"disabled_features": [feature]}, format="json")
    for who in (admin, staff_in_it):
        answer = getattr(who, method)(path, body, format="json") if body else getattr(who, method)(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "feature_disabled"), answer.content
    root.patch(settings, {"disabled_features": []}, format="json")
    answer = getattr(admin, method)(path, body, format="json") if body else getattr(admin, method)(path)
    assert answer.status_code in (200, 201)


def test_new_buckets_go_where_the_tenant_may_have_them() -> None:
    backends.ensure_default_backends()
    tenant, staff = factories.tenant(), factories.staff()
    root, admin = client(staff), client(factories.member(tenant))
    backends.create_backend("eu", "s3", region="eu-west-1", shared=True, actor=staff)
    path, buckets = f"{API}tenants/{tenant.public_id}/settings", API + "storage/buckets"
    assert admin.post(buckets, {"name": "before"}, format="json").status_code == 201
    root.patch(path, {"allowed_backends": ["eu"]}, format="json")
    refused = admin.post(buckets, {"name": "default"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "backend_not_allowed")
    assert admin.post(buckets, {"name": "named", "backend": "eu"}, format="json").status_code in (201, 202)
    root.patch(path, {"allowed_regions": ["eu-central-1"]}, format="json")
    refused = admin.post(buckets, {"name": "elsewhere", "backend": "eu"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "backend_not_allowed")
    names = {b["name"] for b in admin.get(buckets).json()["data"]}
    assert names == {"before", "named"}


def test_our_own_store_is_where_its_row_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no region is in none that is allowed; the setting names it until somebody does by hand."""
    backends.ensure_default_backends()
    tenant, staff = factories.tenant(), factories.staff()
    root, admin = client(staff), client(factories.member(tenant))
    root.patch(
        f"{API}tenants/{tenant.public_id}/settings", {"allowed_regions": ["eu-central-1"]}, format="json"
    )

    def place(name: str) -> tuple[int, str]:
        answer = admin.post(API + "storage/buckets", {"name": name}, format="json")
        return answer.status_code, answer.json().get("code", "")

    def own() -> Backend:
        with platform_scope("test"):
            return Backend.objects.get(name="local", tenant=None)

    assert place("nowhere") == (403, "backend_not_allowed")
    for named in ("us-east-1", "eu-central-1"):
        monkeypatch.setenv("STORAGE_REGION", named)
        backends.ensure_default_backends()
    assert (own().region, place("overseas")) == ("us-east-1", (403, "backend_not_allowed"))
    backends.update_backend(own(), region="eu-central-1", actor=staff)
    assert place("here")[0] == 201
    monkeypatch.setenv("STORAGE_REGION", "no region!")
    backends.update_backend(own(), region="", actor=staff)
    with pytest.raises(Invalid):
        backends.ensure_default_backends()
