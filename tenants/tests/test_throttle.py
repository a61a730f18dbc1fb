"""Guessing: slower with each failure, for the guesser alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from redis.exceptions import RedisError
from rest_framework.test import APIClient

from gateway.errors import RateLimited
from tenants.services import throttle
from tests import factories
from tests.factories import PASSWORD

API = "/api/v1/"


def login(username: str, password: str, address: str = "192.0.2.1") -> Any:
    body = {"username": username, "password": password}
    return APIClient(REMOTE_ADDR=address).post(API + "auth/login", body, format="json")


@pytest.mark.django_db
def test_guesses_wait_longer_and_longer_from_anywhere() -> None:
    who = factories.member(factories.tenant())
    answers = [login(who.label, "guess", f"192.0.2.{n}") for n in range(1, 9)]
    assert [a.status_code for a in answers] == [401] * 6 + [429] * 2
    refused = answers[-1]
    assert int(refused["Retry-After"]) == refused.json()["retry_after"] >= 1
    assert refused.json()["error"] == "Too many requests"
    assert login(who.label, PASSWORD, "192.0.2.99").status_code == 429  # a right guess waits as well


@pytest.mark.django_db
def test_a_name_that_is_no_account_answers_the_same() -> None:
    who = factories.member(factories.tenant())
    for name in (who.label, "nobody-at-all"):
        answers = [login(name, "guess", "198.51.100.7") for _ in range(8)]
        assert [a.status_code for a in answers] == [401] * 6 + [429] * 2
        assert answers[0].json() | {"request_id": ""} == {
            "type": "about:blank",
            "title": "Authentication required",
            "error": "Authentication required",
            "status": 401,
            "detail": "The username or the password is wrong.",
            "code": "login_failed",
            "errors": {},
            "request_id": "",
        }


@pytest.mark.django_db
def test_guesses_from_elsewhere_do_not_shut_the_owner_out() -> None:
    who = factories.member(factories.tenant())
    assert login(who.label, PASSWORD, "203.0.113.5").status_code == 200
    for number in range(1, 20):
        login(who.label, "guess", f"192.0.2.{number}")
    assert login(who.label, "guess", "192.0.2.50").status_code == 429
    assert login(who.label, PASSWORD, "203.0.113.5").status_code == 200


@pytest.mark.django_db
def test_success_forgets_the_failures_of_the_account_not_of_the_address() -> None:
    for _ in range(throttle.FREE_OF_ADDRESS):
        throttle.attempt("password", "mine", "192.0.2.1").succeeded()
    for number in range(throttle.FREE_OF_ADDRESS + 1):
        throttle.attempt("password", f"somebody-{number}", "192.0.2.1")
    with pytest.raises(RateLimited):
        throttle.attempt("password", "mine", "192.0.2.1")
    throttle.attempt("password", "mine", "192.0.2.2")


@pytest.mark.django_db
def test_an_address_of_ipv6_is_its_network() -> None:
    for number in range(throttle.FREE_OF_ADDRESS + 1):
        throttle.attempt("password", f"somebody-{number}", f"2001:db8::{number:x}")
    with pytest.raises(RateLimited):
        throttle.attempt("password", "another", "2001:db8::ffff:1")
    throttle.attempt("password", "another", "2001:db8:0:1::1")


@pytest.mark.django_db(transaction=True)
def test_a_hundred_at_once_are_no_better_than_a_hundred_in_a_row() -> None:
    def guess(_: int) -> bool:
        try:
            throttle.attempt("password", "victim", None)
        except RateLimited:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(20) as pool:
        passed = sum(pool.map(guess, range(100)))
    assert passed == throttle.FREE_OF_ACCOUNT + 1


@pytest.mark.django_db
def test_without_valkey_people_still_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*args: Any, **kwargs: Any) -> Any:
        raise RedisError("gone")

    for name in ("add", "incr", "decr", "get", "delete", "touch"):
        monkeypatch.setattr(cache, name, gone)
    who = factories.member(factories.tenant())
    for _ in range(10):
        assert login(who.label, "guess").status_code == 401
    assert login(who.label, PASSWORD).status_code == 200
