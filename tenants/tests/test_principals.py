"""Principals kept for a moment: never longer than what they rest on, never another's, never a refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.db.scope import platform_scope
from gateway.errors import Unauthenticated
from tenants.models import ApiKey
from tenants.principal import Credential, Principal
from tenants.services import api_keys, principals
from tenants.services.principals import Cache
from tests import factories
from tests.factories import client

pytestmark = pytest.mark.django_db
API = "/api/v1/"


@pytest.fixture
def found() -> Principal:
    return replace(factories.member(factories.tenant()), credential=Credential("api_key", "x"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    at = [1000.0]
    monkeypatch.setattr("tenants.services.principals.time.monotonic", lambda: at[0])

    def turn(seconds: float) -> None:
        at[0] += seconds

    return turn


class Counted:
    """Establishes a principal, and how often it did."""

    def __init__(self, found: Principal) -> None:
        self.found, self.times = found, 0

    def __call__(self) -> Principal:
        self.times += 1
        return self.found


def test_a_principal_is_kept_for_a_second_at_most(found: Principal, clock: Callable[[float], None]) -> None:
    cache, counted = Cache(), Counted(found)
    for passed, times in ((0, 1), (0.5, 1), (0.6, 2)):
        clock(passed)
        assert cache.get("key", counted).user == found.user
        assert counted.times == times
    cache.get("another", counted)
    assert counted.times == 3


def test_it_is_not_kept_beyond_its_own_end(found: Principal, clock: Callable[[float], None]) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=0.4)
    cache, counted = Cache(), Counted(replace(found, credential=Credential("jwt", "x", ends)))
    cache.get("key", counted)
    clock(0.5)
    cache.get("key", counted)
    assert counted.times == 2


def test_what_was_read_before_a_change_is_not_kept(found: Principal) -> None:
    cache = Cache()

    def while_it_changes() -> Principal:
        cache.clear()
        return found

    counted = Counted(found)
    cache.get("key", while_it_changes)
    cache.get("key", counted)
    assert counted.times == 1


def test_refusals_are_not_kept(found: Principal) -> None:
    cache, counted = Cache(), Counted(found)

    def refused() -> Principal:
        raise Unauthenticated("no")

    with pytest.raises(Unauthenticated):
        cache.get("key", refused)
    assert cache.get("key", counted).user == found.user and counted.times == 1


def test_it_holds_so_many_and_no_credential(found: Principal) -> None:
    cache, counted = Cache(size=2), Counted(found)
    for name in ("secret-1", "secret-2", "secret-3"):
        cache.get(name, counted)
    assert len(cache._kept) == 2 and "secret" not in str(cache._kept.keys())
    cache.get("secret-1", counted)
    assert counted.times == 4


def test_each_request_has_rows_of_its_own(found: Principal) -> None:
    cache, counted = Cache(), Counted(found)
    first, second = cache.get("key", counted), cache.get("key", counted)
    assert first.user is not None and second.user is not None
    second.user.username = second.tenant.slug = "changed"
    third = cache.get("key", counted)
    assert third.user is not None
    assert (third.user.username, third.tenant.slug) == (first.user.username, first.tenant.slug)
    assert third.tenant.settings is not second.tenant.settings


@pytest.mark.django_db(transaction=True)
def test_a_change_that_this_process_commits_is_seen_at_once() -> None:
    who = factories.member(factories.tenant())
    text = client(who).post(API + "api-keys", {"name": "x"}, format="json").json()["data"]["api_key"]
    key = client(None, **{"X-API-Key": text})
    assert key.get(API + "auth/me").status_code == 200
    with platform_scope("test"):
        row = ApiKey.objects.select_related("user", "tenant").get()
        api_keys.revoke_key(row, actor=who)
    assert key.get(API + "auth/me").status_code == 401


def test_a_busy_key_is_looked_up_once() -> None:
    who = factories.member(factories.tenant())
    text = client(who).post(API + "api-keys", {"name": "x"}, format="json").json()["data"]["api_key"]
    key = client(None, **{"X-API-Key": text})
    key.get(API + "tenants")
    warm = len(_queries(key))
    principals.cache.clear()
    cold = len(_queries(key))
    assert warm < cold


def _queries(key: object) -> list[object]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as seen:
        key.get(API + "tenants")  # type: ignore[attr-defined]
    return list(seen.captured_queries)
