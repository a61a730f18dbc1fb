"""The pages of API keys and service accounts."""

from __future__ import annotations

import re

import pytest

from gateway.db.scope import tenant_scope
from tenants.models import ApiKey
from tenants.principal import Principal
from tests import factories
from tests.factories import browser, client

pytestmark = pytest.mark.django_db
ME = "/api/v1/auth/me"


@pytest.fixture
def admin() -> Principal:
    return factories.member(factories.tenant())


def text_in(body: bytes) -> str:
    found = re.search(rb"mcp_[a-z0-9]{10}_[A-Za-z0-9]{40}", body)
    assert found, body
    return found[0].decode()


def test_a_key_is_made_changed_and_rotated(admin: Principal) -> None:
    page = browser(admin)
    form = {"name": "ci", "lifetime": "30", "scope": "some", "permissions": ["tenant.read", "user.read"]}
    refused = page.post("/app/api-keys", form | {"allowed_networks": "10.0.0.1/8"})
    assert refused.status_code == 422 and b"has host bits set" in refused.content
    made = page.post("/app/api-keys", form | {"allowed_networks": "192.0.2.0/24\n2001:db8::/32"})
    old = text_in(made.content)
    with tenant_scope(admin.tenant.pk):
        key = ApiKey.objects.get()
    assert key.allowed_networks == ["192.0.2.0/24", "2001:db8::/32"]
    assert b"Rotate" in page.get("/app/api-keys").content

    path = f"/app/api-keys/{key.public_id}"
    assert b"192.0.2.0/24" in page.get(path).content
    change = {"name": "other", "allowed_networks": "", "permissions": ["tenant.read"]}
    assert b"other" in page.post(path, change).content
    assert page.post(path, change | {"permissions": ["audit.read"]}).status_code == 422
    rotated = page.post(f"{path}/rotate", {"overlap": "3600"})
    new = text_in(rotated.content)
    assert b"The secret before works on until" in rotated.content
    for text in (old, new):
        me = client(None, **{"X-API-Key": text}).get(ME)
        assert me.status_code == 200 and me.json()["data"]["permissions"] == ["tenant.read"]
    assert b"Rotating" in page.get("/app/api-keys").content
    assert page.post(f"{path}/rotate", {"overlap": "99"}).status_code == 422


def test_a_service_account_is_made_given_a_key_and_deactivated(admin: Principal) -> None:
    page = browser(admin)
    assert b"No service accounts yet" in page.get("/app/service-accounts").content
    refused = page.post("/app/service-accounts", {"name": "No Slug", "role": "member"})
    assert refused.status_code == 422 and b"Lower-case letters" in refused.content
    assert b"backup" in page.post("/app/service-accounts", {"name": "backup", "role": "viewer"}).content
    (account,) = client(admin).get("/api/v1/service-accounts").json()["data"]
    path = f"/app/service-accounts/{account['id']}"
    assert b"New key of the service account" in page.get(f"{path}/keys").content
    made = page.post(f"{path}/keys", {"name": "nightly", "lifetime": "", "scope": "all"})
    key = client(None, **{"X-API-Key": text_in(made.content)})
    assert key.get(ME).json()["data"]["role"] == "viewer"
    assert page.post(path, {"role": "member"}).status_code == 200
    assert key.get(ME).json()["data"]["role"] == "member"
    assert b"Reactivate" in page.post(path, {"active": "no"}).content
    assert key.get(ME).status_code == 401
    assert page.post(path, {}).status_code == 404


def test_who_may_only_see_is_offered_nothing_to_change(admin: Principal) -> None:
    member = factories.member(admin.tenant, "member")
    assert browser(member).get("/app/service-accounts").status_code == 403
    client(admin).post("/api/v1/api-keys", {"name": "of-the-admin"}, format="json")
    client(member).post("/api/v1/api-keys", {"name": "of-the-member"}, format="json")
    seen = browser(member).get("/app/api-keys").content
    assert b"of-the-member" in seen and b"of-the-admin" not in seen
    with tenant_scope(admin.tenant.pk):
        theirs = ApiKey.objects.get(name="of-the-member")
    page = browser(admin)
    assert f"/app/api-keys/{theirs.public_id}/rotate".encode() not in page.get("/app/api-keys").content
    assert page.post(f"/app/api-keys/{theirs.public_id}/rotate", {"overlap": "0"}).status_code == 422
