"""Tenants, users, keys and audit through the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from gateway.db.scope import platform_scope
from realtime.models import Event
from tenants.models import AuditEntry, Tenant
from tests import factories
from tests.factories import PASSWORD, client

pytestmark = pytest.mark.django_db
API = "/api/v1/"


def test_staff_make_a_tenant_with_an_admin_who_signs_in() -> None:
    root = client(factories.staff())
    made = root.post(API + "tenants", {"name": "Acme", "slug": "acme"}, format="json")
    assert made.status_code == 201
    tenant = made.json()["data"]
    body = {"username": "ann", "email": "ann@example.org", "password": PASSWORD, "role": "admin"}
    assert root.post(API + f"tenants/{tenant['id']}/users", body, format="json").status_code == 201
    tokens = (
        APIClient()
        .post(API + "auth/login", {"username": "ann", "password": PASSWORD}, format="json")
        .json()["data"]
    )
    assert tokens["expires_in"] > 0
    ann = APIClient(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    me = ann.get(API + "auth/me").json()["data"]
    assert (me["username"], me["tenant"], me["role"]) == ("ann", "acme", "admin")
    with platform_scope("test"):
        assert AuditEntry.objects.filter(
            tenant__slug="acme", action="tenants.user.create", actor="root-of-all"
        ).exists()
        assert Event.objects.filter(tenant__slug="acme", type="tenants.user.created", subject="ann").exists()


def test_a_tenants_admin_sees_their_own_users_only() -> None:
    one, other = factories.tenant(), factories.tenant()
    admin, foreign = factories.member(one), factories.member(other)
    names = {u["username"] for u in client(admin).get(API + "users").json()["data"]}
    assert names == {admin.label}
    assert foreign.user is not None
    for path in (
        f"users/{foreign.user.public_id}",
        f"tenants/{other.public_id}",
        f"tenants/{other.public_id}/users",
    ):
        assert client(admin).get(API + path).status_code == 404
    assert client(admin, **{"X-Tenant": other.slug}).get(API + "users").status_code == 404
    assert {t["slug"] for t in client(admin).get(API + "tenants").json()["data"]} == {one.slug}


@pytest.mark.parametrize(
    ("role", "method", "path", "body", "status"),
    [
        ("member", "post", "tenants", {"name": "x", "slug": "x"}, 403),
        ("admin", "post", "tenants", {"name": "x", "slug": "x"}, 403),
        ("member", "get", "users", None, 403),
        ("viewer", "post", "api-keys", {"name": "x"}, 403),
        ("member", "post", "api-keys", {"name": "x"}, 201),
        ("member", "get", "audit", None, 403),
        ("admin", "get", "audit", None, 200),
        ("viewer", "get", "auth/me", None, 200),
    ],
)
def test_roles(role: str, method: str, path: str, body: object, status: int) -> None:
    who = client(factories.member(factories.tenant(), role))
    answer = (
        getattr(who, method)(API + path, body, format="json") if body else getattr(who, method)(API + path)
    )
    assert answer.status_code == status, answer.content


def test_a_member_cannot_add_users() -> None:
    tenant = factories.tenant()
    body = {"username": "x", "password": PASSWORD, "role": "admin"}
    path = f"{API}tenants/{tenant.public_id}/users"
    assert client(factories.member(tenant, "member")).post(path, body, format="json").status_code == 403


def test_only_an_owner_makes_owners() -> None:
    tenant = factories.tenant()
    body = {"username": "boss", "password": PASSWORD, "role": "owner"}
    path = f"{API}tenants/{tenant.public_id}/users"
    assert client(factories.member(tenant, "admin")).post(path, body, format="json").status_code == 403
    assert client(factories.member(tenant, "owner")).post(path, body, format="json").status_code == 201


def test_the_last_owner_stays() -> None:
    tenant = factories.tenant()
    owner = factories.member(tenant, "owner")
    assert owner.user is not None
    answer = client(factories.staff(), **{"X-Tenant": tenant.slug}).delete(
        f"{API}users/{owner.user.public_id}"
    )
    assert answer.status_code == 409


def test_an_api_key_is_shown_once_and_ends_with_its_revocation() -> None:
    admin = factories.member(factories.tenant())
    made = client(admin).post(API + "api-keys", {"name": "ci"}, format="json").json()["data"]
    text = made["api_key"]
    assert text.startswith("mcp_") and text not in str(client(admin).get(API + "api-keys").json())
    for headers in ({"Authorization": f"Bearer {text}"}, {"X-API-Key": text}):
        assert client(None, **headers).get(API + "users").status_code == 200
    assert client(admin).delete(f"{API}api-keys/{made['id']}").status_code == 204
    assert client(None, **{"X-API-Key": text}).get(API + "users").status_code == 401


def test_a_key_never_holds_more_than_its_owner() -> None:
    member = factories.member(factories.tenant(), "member")
    answer = client(member).post(
        API + "api-keys", {"name": "x", "permissions": ["user.write"]}, format="json"
    )
    assert answer.status_code == 400 and "permissions" in answer.json()["errors"]
    narrow = (
        client(member)
        .post(API + "api-keys", {"name": "x", "permissions": ["api_key.write"]}, format="json")
        .json()["data"]["api_key"]
    )
    key = client(None, **{"X-API-Key": narrow})
    assert key.get(API + "tenants").status_code == 403
    wider = key.post(API + "api-keys", {"name": "y"}, format="json").json()["data"]["api_key"]
    assert client(None, **{"X-API-Key": wider}).get(API + "auth/me").json()["data"]["permissions"] == [
        "api_key.write"
    ]


def test_an_expired_key_is_refused() -> None:
    admin = factories.member(factories.tenant())
    past = {"name": "x", "expires_at": (timezone.now() - timedelta(minutes=1)).isoformat()}
    assert client(admin).post(API + "api-keys", past, format="json").status_code == 400
    soon = {"name": "x", "expires_at": (timezone.now() + timedelta(hours=1)).isoformat()}
    made = client(admin).post(API + "api-keys", soon, format="json").json()["data"]
    from tenants.models import ApiKey

    with platform_scope("the clock cannot be turned"):
        ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client(None, **{"X-API-Key": made["api_key"]}).get(API + "users").status_code == 401


def test_deactivation_ends_every_credential_and_reactivation_brings_them_back() -> None:
    tenant = factories.tenant()
    admin, member = factories.member(tenant), factories.member(tenant, "member")
    assert member.user is not None
    key = client(member).post(API + "api-keys", {"name": "x"}, format="json").json()["data"]["api_key"]
    with_token, with_key = client(member), client(None, **{"X-API-Key": key})
    path = f"{API}users/{member.user.public_id}"
    assert with_key.get(API + "auth/me").status_code == 200
    assert client(admin).delete(path).status_code == 204
    assert with_token.get(API + "auth/me").status_code == 401
    assert with_key.get(API + "auth/me").status_code == 401
    login = {"username": member.label, "password": PASSWORD}
    assert APIClient().post(API + "auth/login", login, format="json").status_code == 401
    assert client(admin).patch(path, {"is_active": True}, format="json").status_code == 200
    assert with_key.get(API + "auth/me").status_code == 200


def test_a_suspended_tenant_is_closed() -> None:
    tenant = factories.tenant()
    admin = factories.member(tenant)
    path = f"{API}tenants/{tenant.public_id}"
    assert client(admin).patch(path, {"status": "suspended"}, format="json").status_code == 403
    assert client(factories.staff()).patch(path, {"status": "suspended"}, format="json").status_code == 200
    for named in ({}, {"X-Tenant": ""}):
        refused = client(admin, **named).get(API + "auth/me")
        assert (refused.status_code, refused.json()["code"]) == (403, "tenant_suspended")
    with platform_scope("test"):
        assert Tenant.objects.get(pk=tenant.pk).status == "suspended"


def test_limits_are_kept() -> None:
    tenant = factories.tenant()
    admin = factories.member(tenant)
    path = f"{API}tenants/{tenant.public_id}"
    assert (
        client(factories.staff()).patch(path, {"limits": {"api_keys": 1}}, format="json").status_code == 200
    )
    assert client(admin).post(API + "api-keys", {"name": "a"}, format="json").status_code == 201
    refused = client(admin).post(API + "api-keys", {"name": "b"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "quota_exceeded")
    assert (
        client(factories.staff()).patch(path, {"limits": {"api_keys": -1}}, format="json").status_code == 400
    )


def test_a_refresh_token_is_spent_by_use() -> None:
    who = factories.member(factories.tenant())
    login = {"username": who.label, "password": PASSWORD}
    first = APIClient().post(API + "auth/login", login, format="json").json()["data"]["refresh"]
    second = (
        APIClient().post(API + "auth/refresh", {"refresh": first}, format="json").json()["data"]["refresh"]
    )
    assert APIClient().post(API + "auth/refresh", {"refresh": first}, format="json").status_code == 401
    assert APIClient().post(API + "auth/logout", {"refresh": second}, format="json").status_code == 204
    assert APIClient().post(API + "auth/refresh", {"refresh": second}, format="json").status_code == 401


def test_introspection_answers_unwrapped_and_says_nothing_of_what_is_not_valid() -> None:
    admin = factories.member(factories.tenant())
    key = client(admin).post(API + "api-keys", {"name": "x"}, format="json").json()["data"]["api_key"]
    answer = client(admin).post(API + "auth/introspect", {"token": key}, format="json").json()
    assert answer["active"] is True and answer["username"] == admin.label and "data" not in answer
    for token in ("", "mcp_nothing_here", "a.b.c", key[:-1], "é" * 50):
        answer = client(admin).post(API + "auth/introspect", {"token": token}, format="json")
        assert (answer.status_code, answer.json()) == (200, {"active": False})
    assert client().post(API + "auth/introspect", {"token": key}, format="json").status_code == 401


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("users", {}, 401),
        ("users", {"Authorization": "Bearer nonsense"}, 401),
        ("users", {"Authorization": "Basic x"}, 401),
        ("users", {"X-API-Key": "mcp_a_b"}, 401),
        ("users", {"X-API-Key": "mcp_\x00_b"}, 401),
        ("nowhere/at/all", {}, 401),
        ("tenants/00000000-0000-4000-8000-000000000000", {}, 401),
    ],
)
def test_refusals_are_problem_details(path: str, headers: dict[str, str], status: int) -> None:
    answer = client(None, **headers).get(API + path)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status and problem["error"] == problem["title"]
    assert problem["request_id"] == answer["X-Request-ID"]
    assert {"type", "detail", "code", "errors"} <= problem.keys()


def test_a_path_that_does_not_exist_is_told_to_callers() -> None:
    answer = client(factories.staff()).get(API + "nowhere/at/all")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "query", ["page=0", "page=x", "per_page=0", "per_page=", "per_page=501", "page=99999999999"]
)
def test_a_page_that_cannot_be_is_told(query: str) -> None:
    answer = client(factories.staff()).get(f"{API}tenants?{query}")
    assert answer.status_code == 400 and answer.json()["errors"]


def test_bad_bodies_are_told_by_field() -> None:
    root = client(factories.staff())
    answer = root.post(API + "tenants", {"name": "", "slug": "Not A Slug"}, format="json")
    assert answer.status_code == 400 and {"name", "slug"} == answer.json()["errors"].keys()
    answer = root.post(API + "tenants", "{broken", content_type="application/json")
    assert answer.status_code == 400 and answer.json()["code"] == "parse_error"
    assert root.post(API + "tenants", [1], format="json").status_code == 400
    assert root.put(API + "tenants", {}, format="json").status_code == 405
    assert root.post(API + "tenants", "x", content_type="text/plain").status_code == 415
    assert root.post(API + "tenants", {"name": "a\0b", "slug": "ab"}, format="json").status_code == 400


def test_both_spellings_of_a_path_answer() -> None:
    root = client(factories.staff())
    assert root.get(API + "tenants").json() == root.get(API + "tenants/").json()


def test_lists_come_in_pages() -> None:
    for _ in range(3):
        factories.tenant()
    answer = client(factories.staff()).get(API + "tenants?page=2&per_page=2").json()
    assert answer["meta"] == {"page": 2, "per_page": 2, "total": 4} and len(answer["data"]) == 2
    assert client(factories.staff()).get(API + "tenants?page=99").status_code == 404


def test_a_weak_password_is_refused_with_the_reason() -> None:
    tenant = factories.tenant()
    body = {"username": "weak", "password": "password", "role": "member"}
    answer = client(factories.staff()).post(f"{API}tenants/{tenant.public_id}/users", body, format="json")
    assert answer.status_code == 400 and answer.json()["errors"]["password"]


def test_too_many_requests_are_told_when_to_come_again(settings) -> None:
    settings.API_RATE_LIMIT = 3
    who = client(factories.member(factories.tenant()))
    statuses = [who.get(API + "auth/me").status_code for _ in range(5)]
    assert statuses.count(429) >= 1
    last = who.get(API + "auth/me")
    assert int(last["Retry-After"]) == last.json()["retry_after"] > 0


def test_guesses_are_limited_by_account_wherever_they_come_from(settings) -> None:
    settings.AUTH_RATE_LIMIT = 3
    who = factories.member(factories.tenant())
    for number in range(3):
        body = {"username": who.label.upper(), "password": "wrong"}
        APIClient(REMOTE_ADDR=f"192.0.2.{number}").post(API + "auth/login", body, format="json")
    right = {"username": who.label, "password": PASSWORD}
    refused = APIClient(REMOTE_ADDR="192.0.2.9").post(API + "auth/login", right, format="json")
    assert refused.status_code == 429


def test_a_session_needs_a_csrf_token_to_write() -> None:
    admin = factories.member(factories.tenant())
    browser = APIClient(enforce_csrf_checks=True)
    assert browser.login(username=admin.label, password=PASSWORD)
    assert browser.get(API + "auth/me").status_code == 200
    refused = browser.post(API + "api-keys", {"name": "x"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")


def test_a_domain_chooses_the_tenant() -> None:
    one, other = factories.tenant(), factories.tenant()
    path = f"{API}tenants/{one.public_id}/domains"
    root = client(factories.staff())
    assert root.post(path, {"hostname": "Files.Example.org"}, format="json").status_code == 201
    assert root.post(path, {"hostname": "files.example.org"}, format="json").status_code == 409
    assert root.post(path, {"hostname": "not a host"}, format="json").status_code == 400
    admin = factories.member(one)
    token = {"Authorization": factories.bearer(admin)}
    assert (
        client(None, **token).get(API + "auth/me", HTTP_HOST="files.example.org").json()["data"]["tenant"]
        == one.slug
    )
    token = {"Authorization": factories.bearer(factories.member(other))}
    assert client(None, **token).get(API + "auth/me", HTTP_HOST="files.example.org").status_code == 404


def test_a_body_beyond_all_measure_is_refused(settings) -> None:
    root = client(factories.staff())
    nested = root.post(API + "tenants", "[" * 100_000, content_type="application/json")
    assert (nested.status_code, nested.json()["code"]) == (400, "parse_error")
    big = '{"name": "' + "x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + '"}'
    for path in ("tenants", "auth/login"):
        long = root.post(API + path, big, content_type="application/json")
        assert (long.status_code, long.json()["code"]) == (413, "too_large")
    whole = root.post(API + "tenants", {}, format="json", HTTP_TRANSFER_ENCODING="chunked")
    assert (whole.status_code, whole.json()["code"]) == (411, "length_required")
