"""The pages without a browser: who is let in, where one is sent, and what errors look like."""

from __future__ import annotations

import json

import pytest
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client, override_settings

from gateway.db.scope import platform_scope
from storage.services import backends
from tenants.models import Membership, Role, Tenant
from tenants.services import domains, tenants
from tests import factories

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/app/buckets?q=a"}


@pytest.fixture(autouse=True)
def _store() -> None:
    backends.ensure_default_backends()


def signed_in(role: str = "admin") -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(factories.member(factories.tenant(), role).user)  # type: ignore[arg-type]
    return client


def test_home_leads_to_the_overview(client: Client) -> None:
    assert client.get("/")["Location"] == "/app/"


def test_signed_out_pages_lead_to_the_sign_in_and_back(client: Client) -> None:
    answer = client.get("/app/buckets?q=a")
    assert answer.status_code == 302
    assert answer["Location"] == "/app/login?next=%2Fapp%2Fbuckets%3Fq%3Da"


def test_signed_out_parts_lead_the_whole_page_there(client: Client) -> None:
    answer = client.get("/app/buckets/new", headers=HTMX)
    assert answer.status_code == 401
    assert answer["HX-Redirect"].startswith("/app/login?next=")
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("asked", "onward"),
    [
        ("/app/buckets", "/app/buckets"),
        ("/admin/", "/admin/"),
        ("https://evil.example/", "/app/"),
        ("//evil.example", "/app/"),
        ("/\\evil.example", "/app/"),
        ("javascript:alert(1)", "/app/"),
        ("", "/app/"),
    ],
)
def test_signing_in_goes_on_within_the_site(client: Client, asked: str, onward: str) -> None:
    who = factories.member(factories.tenant(), "member")
    form = {"username": who.label, "password": factories.PASSWORD, "next": asked}
    answer = client.post("/app/login", form)
    assert (answer.status_code, answer["Location"]) == (302, onward)


@override_settings(AUTH_RATE_LIMIT=3)
def test_guesses_are_limited_by_account_wherever_they_come_from(client: Client) -> None:
    cache.clear()
    form = {"username": "Somebody", "password": "guess"}
    answers = [
        client.post("/app/login", form, headers={"X-Forwarded-For": f"192.0.2.{number}"})
        for number in range(5)
    ]
    assert [answer.status_code for answer in answers] == [422, 422, 422, 429, 429]
    assert int(answers[-1]["Retry-After"]) >= 1
    assert "Too many attempts" in answers[-1].content.decode()


def test_sign_out_is_a_post(client: Client) -> None:
    assert client.get("/app/logout").status_code == 405
    client.force_login(factories.staff().user)  # type: ignore[arg-type]
    assert client.get("/admin/logout/").status_code == 405
    assert client.post("/admin/logout/").status_code == 302
    assert client.get("/admin/").status_code == 302


def test_a_member_of_a_suspended_tenant_is_told(client: Client) -> None:
    who = factories.member(factories.tenant(), "member")
    tenants.update_tenant(who.tenant, status=Tenant.Status.SUSPENDED, actor=factories.staff())
    client.force_login(who.user)  # type: ignore[arg-type]
    answer = client.get("/app/")
    assert answer.status_code == 403
    assert "not an active member" in answer.content.decode()
    assert "Sign out" in answer.content.decode()


def test_a_part_alone_for_htmx() -> None:
    client = signed_in()
    whole, part = client.get("/app/buckets"), client.get("/app/buckets", headers=HTMX)
    assert "<html" in whole.content.decode()
    assert "<html" not in part.content.decode()
    assert "HX-Request" in part["Vary"]
    assert "no-store" in part["Cache-Control"]


def test_what_is_not_there_and_what_is_not_allowed() -> None:
    admin, viewer = signed_in(), signed_in("viewer")
    assert admin.get("/app/no-such-page").status_code == 404
    assert admin.get("/app/buckets/no-such-bucket").status_code == 404
    assert viewer.get("/app/audit").status_code == 403
    assert viewer.get("/app/members").status_code == 403
    refused = viewer.post("/app/buckets", {"name": "docs"}, headers=HTMX)
    assert refused.status_code == 403
    assert "This needs the permission storage.bucket.write." in refused.content.decode()


def test_another_tenants_rows_are_not_there() -> None:
    owner = signed_in("owner")
    owner.post("/app/access-keys", {"name": "mine"})
    page = owner.get("/app/access-keys").content.decode()
    revoke = page.split('action="/app/access-keys/')[1].split('"')[0]
    assert signed_in("owner").post(f"/app/access-keys/{revoke}").status_code == 404


def test_a_form_from_elsewhere_is_refused() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.member(factories.tenant(), "admin").user)  # type: ignore[arg-type]
    answer = client.post("/app/buckets", {"name": "docs"})
    assert answer.status_code == 403
    assert "reload the page" in answer.content.decode()


def test_a_defect_shows_the_request_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in()
    monkeypatch.setattr("storage.pages.buckets._buckets", lambda request: 1 / 0)
    page = client.get("/app/buckets", headers={"X-Request-ID": "find-me-123"})
    assert page.status_code == 500
    assert "find-me-123" in page.content.decode()
    assert "ZeroDivisionError" not in page.content.decode()
    part = client.get("/app/buckets", headers=HTMX)
    assert json.loads(part.content)["code"] == "internal_error"


def test_a_database_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(request: object) -> dict[str, object]:
        raise OperationalError("gone")

    client = signed_in()
    monkeypatch.setattr("storage.pages.buckets._buckets", gone)
    answer = client.get("/app/buckets", headers=HTMX)
    assert answer.status_code == 503
    assert json.loads(answer.content)["detail"].startswith("The database does not answer")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"method": "PUT"}',
        b'{"method": "BREW", "key": "a"}',
        b'{"method": "GET", "key": "a/../b"}',
    ],
)
def test_links_are_given_for_what_can_be_asked(body: bytes) -> None:
    client = signed_in()
    client.post("/app/buckets", {"name": "docs"})
    answer = client.post("/app/buckets/docs/links", body, content_type="application/json")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "query",
    ["?after=%00", "?before=x", "?before=99999999999999999999", "?kind=%00", "?since=x", "?since=2026-13-45"],
)
@pytest.mark.parametrize(
    "path", ["/app/events", "/app/audit", "/app/buckets", "/app/buckets/docs", "/app/members"]
)
def test_odd_questions_are_harmless(path: str, query: str) -> None:
    client = signed_in()
    client.post("/app/buckets", {"name": "docs"})
    assert client.get(f"{path}?{query}").status_code == 200


@pytest.mark.parametrize("page", ["/app/audit", "/app/events"])
def test_a_place_in_a_log_that_cannot_be_is_the_newest(page: str) -> None:
    client = signed_in()
    for before in ("9" * 5000, "٣", "-1", "x"):
        assert client.get(page, {"before": before}).status_code == 200


def test_a_tenant_that_a_page_cannot_act_in_is_no_defect() -> None:
    client = signed_in()
    assert client.get("/app/", headers={"X-Tenant": "no-such"}).status_code == 404
    assert client.get("/app/", headers={"X-Tenant": "No Such"}).status_code == 404


def test_a_suspended_tenant_gives_way_to_another_of_the_person() -> None:
    one, other = factories.tenant(), factories.tenant()
    who = factories.member(one)
    with platform_scope("test"):
        role = Role.objects.get(tenant=other, slug="viewer")
        Membership.objects.create(tenant=other, user=who.user, role=role)  # type: ignore[misc]
    client = Client()
    client.force_login(who.user)  # type: ignore[arg-type]
    client.post("/app/tenant", {"tenant": one.slug})
    tenants.update_tenant(one, status="suspended", actor=factories.staff())
    page = client.get("/app/")
    assert page.status_code == 200 and other.slug in page.content.decode()


def test_somebody_without_a_tenant_at_a_tenants_domain_is_told() -> None:
    one, other = factories.tenant(), factories.tenant()
    who = factories.member(one)
    domains.add_domain(other, "files.example.org", actor=factories.staff())
    tenants.update_tenant(one, status="suspended", actor=factories.staff())
    client = Client()
    client.force_login(who.user)  # type: ignore[arg-type]
    assert client.get("/app/", headers={"Host": "files.example.org"}).status_code == 403
