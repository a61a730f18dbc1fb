"""Tenants in the admin: one form for row, limits and settings, and the actions of their life."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from gateway.db.scope import platform_scope
from tenants.models import Domain, Quota, Tenant, TenantSettings
from tenants.services import deletion, tenants
from tests import factories

pytestmark = pytest.mark.django_db
LIST = "/admin/tenants/tenant/"
FORM = {
    "name": "Acme", "slug": "acme", "status": "active", "domain": "", "storage_bytes": "1000", "users": "",
    "api_keys": "", "buckets": "3", "access_keys": "", "workspaces": "", "devices": "", "audit_retention_days": "90",
    "allowed_backends": "*", "allowed_regions": "eu-west-1, eu-central-1", "disabled_features": ["events"],
    "api_rate": "10", "auth_rate": "", "s3_rate": "", "domains-TOTAL_FORMS": "0", "domains-INITIAL_FORMS": "0",
    "memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0",
}  # fmt: skip


@pytest.fixture
def admin() -> Client:
    client, staff = Client(), factories.staff()
    with platform_scope("test"):
        client.force_login(staff.user)  # type: ignore[arg-type]
    return client


def _tenant(slug: str) -> Tenant:
    with platform_scope("test"):
        return Tenant.objects.select_related("quota", "settings").get(slug=slug)


def test_the_form_as_it_is_shown_makes_a_tenant(admin: Client) -> None:
    form = admin.get(LIST + "add/").context["adminform"].form
    shown = {name: form[name].value() for name in form.fields if name != "status"}  # which it does not show
    filled = {name: value for name, value in shown.items() if value} | {"name": "Acme", "slug": "acme"}
    made = admin.post(LIST + "add/", filled)
    assert made.status_code == 302, made.context["errors"]
    assert _tenant("acme").status == Tenant.Status.ACTIVE


def test_one_form_makes_and_changes_all_of_it(admin: Client) -> None:
    made = admin.post(LIST + "add/", FORM | {"domain": "files.acme.example"})
    assert made.status_code == 302, made.context["errors"]
    tenant = _tenant("acme")
    assert (tenant.quota.storage_bytes, tenant.quota.buckets, tenant.quota.users) == (1000, 3, None)
    assert tenant.settings.allowed_regions == ["eu-central-1", "eu-west-1"]
    assert tenant.settings.allowed_backends is None
    assert (tenant.settings.disabled_features, tenant.settings.api_rate) == (["events"], 10)
    with platform_scope("test"):
        assert Domain.objects.routing().get(tenant=tenant).hostname == "files.acme.example"
    page = admin.get(f"{LIST}{tenant.pk}/change/")
    assert page.status_code == 200
    assert b"<progress" in page.content
    changed = admin.post(
        f"{LIST}{tenant.pk}/change/", FORM | {"name": "Acme Ltd", "users": "5", "s3_rate": "0"}
    )
    assert changed.status_code == 302, changed.context["errors"]
    tenant = _tenant("acme")
    assert (tenant.name, tenant.quota.users, tenant.settings.s3_rate) == ("Acme Ltd", 5, 0)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"slug": "platform"}, "already exists"),
        ({"allowed_backends": "nowhere"}, "Unknown: nowhere."),
        ({"disabled_features": ["teleport"]}, "teleport"),
        ({"users": "-1"}, "greater than or equal to 0"),
        ({"domain": "localhost"}, "A host name such as"),
    ],
)
def test_a_refusal_stands_in_the_form(bad: dict[str, Any], says: str, admin: Client) -> None:
    answer = admin.post(LIST + "add/", FORM | bad)
    assert answer.status_code == 200
    assert says in answer.content.decode()
    with platform_scope("test"):
        assert Tenant.objects.count() == 1
        assert Quota.objects.count() == TenantSettings.objects.count() == 1


def test_actions_of_a_tenants_life(admin: Client) -> None:
    tenant = factories.tenant("acme")

    def act(action: str) -> str:
        rows = {"action": action, "_selected_action": [tenant.pk]}
        return admin.post(LIST, rows, follow=True).content.decode()

    for action, status in (
        ("suspend", "suspended"), ("activate", "active"), ("delete_softly", "deleted"), ("restore", "active"),
    ):  # fmt: skip
        act(action)
        assert _tenant("acme").status == status
    assert "1 recounted." in act("recount")
    assert "The tenant is not deleted." in act("restore")
    shown = admin.get(f"{LIST}{tenant.pk}/json/").json()
    assert (shown["slug"], shown["usage"]["users"], shown["limits"]["users"]) == ("acme", 0, None)


def test_a_purge_asks_for_the_slug(admin: Client) -> None:
    tenant = factories.tenant("acme")
    path = f"{LIST}{tenant.pk}/purge/"
    assert "delete it first" in admin.get(path).content.decode()
    assert admin.post(path, {"slug": "acme"}).status_code == 422
    deletion.delete_tenant(tenant, actor=factories.staff())
    assert admin.post(path, {"slug": "other"}).status_code == 422
    assert admin.post(path, {"slug": "acme"}).status_code == 302
    assert admin.get(f"{LIST}{tenant.pk}/change/").status_code == 200
    with platform_scope("test"):
        Tenant.objects.filter(pk=tenant.pk).update(status="purged", slug="purged-x")
    assert admin.get(f"{LIST}{tenant.pk}/change/").status_code == 200


def test_domains(admin: Client) -> None:
    tenant = factories.tenant()
    tenants.update_tenant(tenant, name="Renamed", actor=factories.staff())
    answer = admin.post("/admin/tenants/domain/add/", {"tenant": tenant.pk, "hostname": "a.example.org"})
    assert answer.status_code == 302
    assert admin.get("/admin/tenants/domain/").status_code == 200
    with platform_scope("test"):
        domain = Domain.objects.get(hostname="a.example.org")
        Domain.objects.filter(pk=domain.pk).update(verified_at=None, method="")
    assert admin.get(f"/admin/tenants/domain/{domain.pk}/change/").status_code == 200
    for action in ("look", "vouch"):
        admin.post("/admin/tenants/domain/", {"action": action, "_selected_action": [domain.pk]})
    with platform_scope("test"):
        assert Domain.objects.get(pk=domain.pk).method == "staff"
