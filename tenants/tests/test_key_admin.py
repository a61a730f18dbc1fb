"""Credentials in the administration."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from gateway.db.scope import platform_scope
from tenants.models import ApiKey, SigningKey
from tests import factories
from tests.factories import client

ROTATE = {"overlap": "3600", "_form_submitted": "True"}
pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> Client:
    browser = Client()
    who = factories.staff().user
    assert who is not None
    browser.force_login(who)
    return browser


def test_a_service_accounts_key_is_rotated_and_a_persons_is_not(root: Client) -> None:
    admin = factories.member(factories.tenant())
    account = client(admin).post("/api/v1/service-accounts", {"name": "a"}, format="json").json()["data"]
    path = f"/api/v1/service-accounts/{account['id']}/api-keys"
    client(admin).post(path, {"name": "theirs"}, format="json")
    client(admin).post("/api/v1/api-keys", {"name": "mine"}, format="json")
    with platform_scope("test"):
        theirs, mine = ApiKey.objects.get(name="theirs"), ApiKey.objects.get(name="mine")
    at = f"/admin/tenants/apikey/{theirs.pk}"
    assert root.get(f"{at}/change/").status_code == 200
    shown = root.get(f"{at}/json/")
    assert shown.json()["prefix"] == theirs.prefix and "secret" not in shown.content.decode()
    answer = root.post(f"{at}/rotate/", ROTATE, follow=True)
    assert b"mcp_" in answer.content, answer.content.decode()
    root.post(f"/admin/tenants/apikey/{mine.pk}/rotate/", ROTATE)
    with platform_scope("test"):
        assert ApiKey.objects.get(pk=theirs.pk).previous_prefix == theirs.prefix
        assert ApiKey.objects.get(pk=mine.pk).prefix == mine.prefix
    action = {"action": "revoke", "_selected_action": [mine.pk]}
    root.post("/admin/tenants/apikey/", action)
    with platform_scope("test"):
        assert ApiKey.objects.get(pk=mine.pk).revoked_at is not None


def test_signing_keys_are_rotated_and_revoked(root: Client, settings) -> None:
    settings.JWT_ALGORITHM = "RS256"
    said = StringIO()
    call_command("rotate_signing_key", stdout=said)
    with platform_scope("test"):
        first = SigningKey.objects.get()
    assert first.kid in said.getvalue()
    assert root.get("/admin/tenants/signingkey/").status_code == 200
    rotate = "/admin/tenants/signingkey/rotate/"
    assert root.get(rotate).status_code == 200  # asks: a link from elsewhere is no decision
    with platform_scope("test"):
        assert SigningKey.objects.count() == 1
    assert root.post(rotate, {"_form_submitted": "True"}, follow=True).status_code == 200
    page = root.get(f"/admin/tenants/signingkey/{first.pk}/change/").content
    assert b"BEGIN PUBLIC KEY" in page and b"PRIVATE" not in page
    with platform_scope("test"):
        assert SigningKey.objects.count() == 2
    root.post("/admin/tenants/signingkey/", {"action": "revoke", "_selected_action": [first.pk]})
    with platform_scope("test"):
        assert not SigningKey.objects.get(pk=first.pk).is_live
        assert SigningKey.objects.filter(verifies_until=None).count() == 1
