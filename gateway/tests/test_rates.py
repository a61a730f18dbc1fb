"""Rates: whom a request counts for, at which rate, in however many processes, and what a refusal says."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django_ratelimit.core import _get_window
from rest_framework.test import APIClient

from gateway.db.scope import platform_scope
from tenants.models import Membership, Role, Tenant, TenantSettings
from tenants.services import rates
from tests import factories
from tests.factories import client

pytestmark = pytest.mark.django_db
API = "/api/v1/"


@pytest.fixture(autouse=True)
def _counted_anew() -> None:
    cache.clear()
    rates.forget()


def set_rates(tenant: Tenant, **values: int | None) -> None:
    with platform_scope("tests"):
        TenantSettings.objects.update_or_create(tenant=tenant, defaults=values)
    rates.forget()


def statuses(api: Any, times: int, path: str = API + "auth/me") -> list[int]:
    return [api.get(path).status_code for _ in range(times)]


def test_a_refusal_is_a_problem_that_says_when_to_come_again(settings: Any) -> None:
    settings.API_RATE_LIMIT = 2
    who = client(factories.member(factories.tenant()))
    assert statuses(who, 2) == [200, 200]
    refused = who.get(API + "auth/me")
    told = refused.json()
    assert (refused.status_code, refused["Content-Type"]) == (429, "application/problem+json")
    assert (told["status"], told["code"], told["error"]) == (429, "rate_limited", "Too many requests")
    assert int(refused["Retry-After"]) == told["retry_after"]
    assert 1 <= told["retry_after"] <= 60


def test_strangers_count_by_address_and_others_by_who_they_are(settings: Any) -> None:
    settings.API_RATE_LIMIT = 2
    one, other = (client(factories.member(factories.tenant())) for _ in range(2))
    stranger, neighbour = APIClient(REMOTE_ADDR="192.0.2.1"), APIClient(REMOTE_ADDR="192.0.2.2")
    assert statuses(stranger, 3) == [401, 401, 429]
    assert statuses(neighbour, 1) == [401]
    assert statuses(one, 3) == [200, 200, 429]
    assert statuses(other, 1) == [200]


def test_of_ipv6_a_network_counts(settings: Any) -> None:
    settings.API_RATE_LIMIT = 2
    near = [APIClient(REMOTE_ADDR=f"2001:db8:1:2::{number}") for number in (1, 2, 3)]
    assert [statuses(one, 1) for one in near] == [[401], [401], [429]]
    assert statuses(APIClient(REMOTE_ADDR="2001:db8:1:3::1"), 1) == [401]


def test_refused_credentials_count_for_their_address(settings: Any) -> None:
    settings.API_RATE_LIMIT = 2
    guessing = APIClient(REMOTE_ADDR="192.0.2.1", HTTP_AUTHORIZATION="Bearer mcp_nothing_nothing")
    assert statuses(guessing, 3) == [401, 401, 429]
    assert statuses(client(factories.member(factories.tenant())), 1) == [200]


def test_all_credentials_of_somebody_count_together(settings: Any) -> None:
    settings.API_RATE_LIMIT = 2
    who = factories.member(factories.tenant())
    assert statuses(client(who), 2) == [200, 200]
    browser = APIClient()
    assert browser.login(username=who.label, password=factories.PASSWORD)
    assert statuses(browser, 1) == [429]


def test_who_is_in_two_tenants_counts_in_each(settings: Any) -> None:
    settings.API_RATE_LIMIT = 1
    one, other = factories.tenant(), factories.tenant()
    who = factories.member(one)
    with platform_scope("tests"):
        role = Role.objects.get(tenant=other, slug="admin")
        assert who.user is not None
        Membership.objects.create(user=who.user, tenant=other, role=role)
    assert statuses(client(who), 2) == [200, 429]
    assert statuses(client(who, **{"X-Tenant": other.slug}), 2) == [200, 429]


def test_a_tenant_has_a_rate_of_its_own_for_each_caller(settings: Any) -> None:
    settings.API_RATE_LIMIT = 1
    tenant = factories.tenant()
    one, other = client(factories.member(tenant)), client(factories.member(tenant))
    set_rates(tenant, api_rate=3)
    assert statuses(one, 4) == [200, 200, 200, 429]
    assert statuses(other, 1) == [200]
    set_rates(tenant, api_rate=0)
    assert statuses(one, 5) == [200] * 5
    set_rates(tenant, api_rate=None)
    assert statuses(other, 2) == [200, 429]


def test_a_tenants_rate_is_not_asked_for_each_time(django_assert_num_queries: Any) -> None:
    tenant = factories.tenant()
    rates.of_tenant(tenant.pk)
    with django_assert_num_queries(0):
        rates.of_tenant(tenant.pk)


def test_the_strictest_tenant_of_an_account_counts(settings: Any) -> None:
    settings.AUTH_RATE_LIMIT = 10
    tenant = factories.tenant()
    who = factories.member(tenant)
    assert rates.of_account(who.label, 10) == 10
    set_rates(tenant, auth_rate=2)
    assert rates.of_account(who.label.upper(), 10) == 2
    body = {"username": who.label, "password": "wrong"}
    answers = [
        APIClient(REMOTE_ADDR=f"192.0.2.{number}").post(API + "auth/login", body, format="json")
        for number in range(3)
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    set_rates(tenant, auth_rate=0)
    assert rates.of_account(who.label, 10) == 0
    assert rates.of_account("nobody", 10) == 10


def test_pages_are_limited_where_they_write(client: Client, settings: Any) -> None:
    settings.API_RATE_LIMIT = 2
    who = factories.member(factories.tenant(), "member")
    assert client.login(username=who.label, password=factories.PASSWORD)
    for _ in range(4):
        assert client.get("/app/").status_code == 200
    posted = [client.post("/app/api-keys", {}).status_code for _ in range(3)]
    assert 429 not in posted[:2]
    assert posted[2] == 429


def test_the_sign_in_page_is_limited_by_address(client: Client, settings: Any) -> None:
    settings.API_RATE_LIMIT = 2
    answers = [client.get("/app/login", REMOTE_ADDR="192.0.2.1") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1]["Retry-After"]) >= 1
    assert "Too many requests" in answers[-1].content.decode()
    assert client.get("/app/login", REMOTE_ADDR="192.0.2.2").status_code == 200


_ASK = """
import django; django.setup()
from django.http import HttpRequest
from gateway.api import ratelimit
from gateway.errors import RateLimited
admitted = 0
input()
for _ in range(40):
    try:
        ratelimit.count("api", HttpRequest(), {who!r}, 30)
        admitted += 1
    except RateLimited:
        pass
print(admitted)
"""


def test_two_processes_count_together() -> None:
    """At once, 40 requests in each, of which 30 are admitted in all."""
    left = {f"nobody-{number}": _window_left(f"nobody-{number}") for number in range(20)}
    who = max(left, key=lambda name: left[name])  # its minute does not end meanwhile
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _ASK.format(who=who)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    admitted = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert sum(admitted) == 30


def _window_left(who: str) -> float:
    return float(_get_window(who, 60) - time.time())
