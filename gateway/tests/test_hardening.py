"""What a browser is told with every answer, which origins may call, and what a request cannot make of us."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import httpx
import pytest
from django.middleware.csrf import get_token
from django.test import Client, RequestFactory, override_settings
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from gateway.admin_templates import REPLACED
from gateway.tests.test_checks import PRODUCTION, ROOT
from tests import factories
from tests.stack import Stack

pytestmark = pytest.mark.django_db
API = "/api/v1/"
EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-XSS-Protection": "0",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
ONE = "https://one.example"


@pytest.mark.parametrize(
    "path", ["/app/login", "/app/", "/app/no-such-page", "/admin/", "/api/v1/tenants", "/health", "/docs"]
)
def test_every_answer_has_the_headers(client: Client, path: str) -> None:
    answer = client.get(path)
    assert EVERYWHERE.items() <= dict(answer.headers).items()
    assert "camera=()" in answer["Permissions-Policy"]
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]


def test_what_is_no_page_may_run_and_show_nothing(client: Client) -> None:
    for path in ("/api/v1/tenants", "/health", "/static/js/app.js", "/static/img/logo.svg"):
        answer = client.get(path)
        answer.close()  # the file that it would send
        assert answer["Content-Security-Policy"].startswith("default-src 'none'; base-uri 'none'")


def test_no_cache_keeps_what_the_api_answers(client: Client) -> None:
    member = factories.member(factories.tenant())
    asked = {"username": member.label, "password": factories.PASSWORD}
    signed_in = client.post(API + "auth/login", asked, content_type="application/json")
    assert signed_in.status_code == 200 and signed_in["Cache-Control"] == "no-store"
    key = {"Authorization": "Bearer " + signed_in.json()["data"]["access"]}
    assert client.get(API + "users", headers=key)["Cache-Control"] == "no-store"
    assert client.get(API + "users")["Cache-Control"] == "no-store"


def test_pages_allow_no_text_as_code(client: Client) -> None:
    for path in ("/app/login", "/docs", "/no-such-page"):
        told = client.get(path)["Content-Security-Policy"]
        assert "unsafe" not in told, told
        assert "script-src 'self'" in told


def test_the_packages_templates_are_as_they_were_when_changed(rf: RequestFactory) -> None:
    """Loading fails where an upgrade has changed what is replaced."""
    from django.template.loader import get_template

    for name in REPLACED:
        get_template(name)


def test_headers_of_what_the_edge_lets_through_and_answers_itself(stack: Stack) -> None:
    for path, statuses in (("/health", (200, 503)), ("/app/login", (200,)), ("/no/such/thing", (404,))):
        answer = httpx.get(stack.url + path)
        assert answer.status_code in statuses
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "Server" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", ""])
def test_unknown_host_names_are_refused(stack: Stack, host: str) -> None:
    """The decision refuses them, so what Django builds from the Host header is a name of ours."""
    answer = httpx.get(stack.url + "/app/login", headers={"Host": host})
    assert answer.status_code in (400, 421)
    assert "evil" not in answer.text


def test_forwarded_hosts_and_addresses_are_not_believed(stack: Stack) -> None:
    spoofed = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-For": "203.0.113.7",
        "X-Real-IP": "203.0.113.7",
        "X-Forwarded-Proto": "https",
        "Forwarded": "for=203.0.113.7;host=evil.example;proto=https",
    }
    plain = httpx.get(stack.url + "/app/", headers=spoofed)
    assert (plain.status_code, plain.headers["Location"]) == (302, "/app/login?next=%2Fapp%2F")
    body = {"username": "root-of-all", "password": factories.PASSWORD}
    token = httpx.post(f"{stack.url}{API}auth/login", json=body, headers=spoofed).json()["data"]["access"]
    bearer = {"Authorization": f"Bearer {token}"}
    made = httpx.post(
        f"{stack.url}{API}tenants",
        json={"name": "spoof", "slug": "spoof-test"},
        headers=bearer | spoofed,
    )
    assert made.status_code == 201
    there = bearer | {"X-Tenant": "spoof-test"}
    entries = httpx.get(f"{stack.url}{API}audit?action=tenants.tenant.create", headers=there).json()["data"]
    assert entries
    assert "203.0.113.7" not in json.dumps(entries)
    assert any(entry["ip"] == "127.0.0.1" for entry in entries)


@pytest.mark.parametrize(
    "onward",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "https:evil.example",
        "http://testserver@evil.example/",
        " //evil.example",
        "/\t/evil.example",
        "data:text/html,x",
    ],
)
def test_signing_in_leads_nowhere_else(client: Client, onward: str) -> None:
    shown = client.get("/app/login", {"next": onward}).content.decode()
    assert 'name="next" value="/app/"' in re.sub(r"\s+", " ", shown)


@pytest.mark.parametrize("header", ["X-CSRFToken", "X-CSRF-Token"])
def test_the_csrf_token_in_either_spelling(header: str) -> None:
    who = factories.member(factories.tenant())
    browser = APIClient(enforce_csrf_checks=True)
    assert browser.login(username=who.label, password=factories.PASSWORD)
    refused = browser.post(API + "api-keys", {"name": "x"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
    request = RequestFactory().get("/")
    secret = get_token(request)
    browser.cookies[_csrf_cookie()] = request.META["CSRF_COOKIE"]
    made = browser.post(API + "api-keys", {"name": "x"}, format="json", headers={header: secret})
    assert made.status_code == 201, made.content
    wrong = browser.post(API + "api-keys", {"name": "y"}, format="json", headers={header: secret[::-1]})
    assert wrong.status_code == 403


def test_a_bearer_needs_no_csrf_token() -> None:
    who = factories.member(factories.tenant())
    script = APIClient(enforce_csrf_checks=True)
    headers = {"Authorization": factories.bearer(who), "X-Tenant": who.tenant.slug}
    assert script.post(API + "api-keys", {"name": "x"}, format="json", headers=headers).status_code == 201


def _csrf_cookie() -> str:
    from django.conf import settings

    return settings.CSRF_COOKIE_NAME


def preflight(client: Client, path: str, origin: str = ONE) -> Any:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return client.options(path, headers=asked | {"Access-Control-Request-Headers": "authorization,x-tenant"})


def test_no_other_origin_may_call_unless_it_is_named(client: Client) -> None:
    assert "Access-Control-Allow-Origin" not in preflight(client, API + "tenants")
    assert "Access-Control-Allow-Origin" not in client.get(API + "tenants", headers={"Origin": ONE})


@override_settings(CORS_ALLOWED_ORIGINS=[ONE])
def test_a_named_origin_may_call_the_api_without_cookies(client: Client) -> None:
    asked = preflight(client, API + "tenants")
    assert (asked.status_code, asked["Access-Control-Allow-Origin"]) == (200, ONE)
    assert {"authorization", "x-tenant", "x-api-key"} <= set(
        asked["Access-Control-Allow-Headers"].split(", ")
    )
    answer = client.get(API + "tenants", headers={"Origin": ONE})
    assert answer["Access-Control-Allow-Origin"] == ONE
    assert "origin" in answer["Vary"].lower()
    for told in (asked, answer):
        assert "Access-Control-Allow-Credentials" not in told
        assert {"Content-Security-Policy", "Permissions-Policy", "X-XSS-Protection"} <= set(told.headers)
    assert "Access-Control-Allow-Origin" not in preflight(client, API + "tenants", "https://two.example")
    assert "Access-Control-Allow-Origin" not in preflight(client, API + "tenants", "null")


@override_settings(CORS_ALLOWED_ORIGINS=[ONE])
@pytest.mark.parametrize("path", ["/app/", "/app/login", "/admin/", "/docs", "/apix"])
def test_pages_are_for_no_other_origin(client: Client, path: str) -> None:
    assert "Access-Control-Allow-Origin" not in client.get(path, headers={"Origin": ONE})


@override_settings(CORS_ALLOW_ALL_ORIGINS=True)
def test_everybodys_scripts_never_come_with_cookies(client: Client) -> None:
    asked = preflight(client, API + "tenants")
    assert asked["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in asked


def production(expression: str, **environment: str) -> Any:
    """What an expression over production's settings is."""
    code = f"import json; from gateway import settings as s; print(json.dumps({expression}))"
    cleared = {k: v for k, v in os.environ.items() if not k.startswith(("CORS_", "HSTS_", "ENFORCE_"))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=cleared | PRODUCTION | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


def test_cookies_of_production_are_this_hosts_alone() -> None:
    """`__Host-` holds only for cookies that are Secure, for the whole site, and without a Domain."""
    names = production("[s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME]")
    assert all(name.startswith("__Host-gatehouse_") for name in names)
    assert (
        production("[s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY]") == [True] * 3
    )
    assert production("[s.SESSION_COOKIE_SAMESITE, s.CSRF_COOKIE_SAMESITE]") == ["Lax", "Lax"]
    assert (
        production("[hasattr(s, 'SESSION_COOKIE_DOMAIN'), hasattr(s, 'SESSION_COOKIE_PATH')]") == [False] * 2
    )


def test_the_session_cookie_as_it_is_sent(client: Client, settings: Any) -> None:
    settings.SESSION_COOKIE_NAME = "__Host-gatehouse_session_1"
    settings.SESSION_COOKIE_SECURE = True
    who = factories.member(factories.tenant())
    form = {"username": who.label, "password": factories.PASSWORD}
    cookie = client.post("/app/login", form, secure=True).cookies["__Host-gatehouse_session_1"]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
    assert (cookie["path"], cookie["domain"]) == ("/", "")


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, [True, 31536000, True]),
        ({"HSTS_MAX_AGE": "600", "HSTS_INCLUDE_SUBDOMAINS": "false"}, [True, 600, False]),
        ({"ENFORCE_HTTPS": "false"}, [False, 0, False]),
        ({"PUBLIC_BASE_URL": "http://files.example.org"}, [False, 0, False]),
    ],
)
def test_https_is_enforced_where_the_base_url_says_so(environment: dict[str, str], told: list[Any]) -> None:
    names = "[s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS, s.SECURE_HSTS_INCLUDE_SUBDOMAINS]"
    assert production(names, **environment) == told


def test_origins_from_the_environment() -> None:
    names = "[s.CORS_ALLOWED_ORIGINS, s.CORS_ALLOW_ALL_ORIGINS, s.CORS_ALLOW_CREDENTIALS]"
    given = {"CORS_ALLOW_ORIGINS": "https://one.example/, https://two.example"}
    assert production(names, **given) == [["https://one.example", "https://two.example"], False, False]
    assert production(names, CORS_ALLOW_ORIGINS="*") == [[], True, False]
    assert production(names) == [[], False, False]


def test_enforced_https_redirects_and_is_remembered(client: Client, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 600
    led = client.get("/app/login")
    assert (led.status_code, led["Location"]) == (301, "https://testserver/app/login")
    assert client.get("/health").status_code in (200, 503)
    told = client.get("/app/login", secure=True)["Strict-Transport-Security"]
    assert told.startswith("max-age=600") and "preload" not in told


def test_the_documents_making_costs_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes seconds, and anybody may ask for it."""
    first = client.get("/openapi.json")
    assert first.json()["openapi"] == "3.1.0"
    monkeypatch.delattr(SchemaGenerator, "get_schema")
    assert client.get("/openapi.json?version=2&lang=de").content == first.content
    assert client.post("/openapi.json").status_code == 405


def test_what_may_be_sent_is_bounded(client: Client, settings: Any) -> None:
    fields = {f"field-{number}": "x" for number in range(settings.DATA_UPLOAD_MAX_NUMBER_FIELDS + 1)}
    assert client.post("/app/login", fields).status_code == 400
    long = {"username": "x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE, "password": "x"}
    assert client.post("/app/login", long).status_code in (400, 413)
