"""Setting a password by a link: who gets one, that it works once, and what ends with the old password."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from rest_framework.test import APIClient

from gateway.db.scope import platform_scope
from tenants.models import AuditEntry, Mail, User
from tenants.principal import Principal
from tenants.services import mail, users
from tests import factories
from tests.factories import PASSWORD, client

from .post import letters, token_in

pytestmark = pytest.mark.django_db
API = "/api/v1/"
NEXT = "Vw4!mountain-Lamp-quiet"


@pytest.fixture(autouse=True)
def _uncounted() -> None:
    cache.clear()


@pytest.fixture
def person() -> Principal:
    return factories.member(factories.tenant(), "member")


def ask(**body: str) -> Any:
    return APIClient().post(API + "auth/password-reset", body, format="json")


def confirm(token: str, password: str = NEXT) -> Any:
    body = {"token": token, "password": password}
    return APIClient().post(API + "auth/password-reset/confirm", body, format="json")


def login(who: Principal, password: str) -> int:
    body = {"username": who.label, "password": password}
    return APIClient().post(API + "auth/login", body, format="json").status_code


@pytest.mark.parametrize("by", ["username", "email"])
def test_a_forgotten_password_is_replaced(person: Principal, by: str) -> None:
    assert person.user is not None
    assert ask(**{by: getattr(person.user, by).upper()}).status_code == 202
    (letter,) = letters()
    assert letter.to == [person.user.email] and person.label in letter.body
    assert confirm(token_in(letter)).status_code == 204
    assert (login(person, PASSWORD), login(person, NEXT)) == (401, 200)
    with platform_scope("test"):
        entry = AuditEntry.objects.get(action="tenants.user.reset_password")
        assert (entry.actor, entry.tenant) == (person.label, person.tenant)


def test_a_link_works_once(person: Principal) -> None:
    ask(username=person.label)
    token = token_in(letters()[-1])
    assert confirm(token).status_code == 204
    answer = confirm(token, NEXT + "2")
    assert (answer.status_code, answer.json()["code"]) == (400, "token_invalid")
    assert login(person, NEXT) == 200


def test_a_weak_password_leaves_the_link_as_it_was(person: Principal) -> None:
    ask(username=person.label)
    token = token_in(letters()[-1])
    answer = confirm(token, "password")
    assert answer.status_code == 400 and answer.json()["errors"]["password"]
    assert confirm(token).status_code == 204


def test_all_that_is_signed_in_ends_with_the_old_password(person: Principal) -> None:
    token = client(person)
    body = {"username": person.label, "password": PASSWORD}
    refresh = APIClient().post(API + "auth/login", body, format="json").json()["data"]["refresh"]
    browser = Client()
    browser.force_login(person.user)  # type: ignore[arg-type]
    assert token.get(API + "auth/me").status_code == browser.get("/app/").status_code == 200
    ask(username=person.label)
    assert confirm(token_in(letters()[-1])).status_code == 204
    assert token.get(API + "auth/me").status_code == 401
    assert APIClient().post(API + "auth/refresh", {"refresh": refresh}, format="json").status_code == 401
    assert browser.get("/app/").status_code == 302


def test_a_link_is_short_lived(person: Principal, settings: Any) -> None:
    ask(username=person.label)
    token = token_in(letters()[-1])
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert confirm(token).json()["code"] == "token_invalid"


@pytest.mark.parametrize("token", ["", "x", "x.y", "0" * 32 + ".a-b", "é.é"])
def test_what_is_no_link(person: Principal, token: str) -> None:
    answer = confirm(token)
    assert answer.status_code == 400 and "token" in answer.json()["errors"]


def test_the_answer_is_the_same_for_whom_there_is_not(person: Principal) -> None:
    known, unknown = ask(username=person.label), ask(username="nobody-at-all")
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert ask(email="nobody@example.org").status_code == 202
    assert len(letters()) == 1
    with platform_scope("test"):
        assert Mail.objects.count() == 3  # as much is written for nobody


@pytest.mark.parametrize(
    "body", [{}, {"username": "a", "email": "b@c.org"}, {"username": 5}, {"name": "a"}, {"username": "a\0"}]
)
def test_what_is_no_request(body: Any) -> None:
    assert ask(**body).status_code == 400


def test_links_are_throttled_by_account_wherever_they_are_asked_for(person: Principal) -> None:
    answers = [
        APIClient(REMOTE_ADDR=f"192.0.2.{number}").post(
            API + "auth/password-reset", {"username": person.label}, format="json"
        )
        for number in range(5)
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
    assert int(answers[-1]["Retry-After"]) > 0


def test_nobody_is_flooded_with_links(person: Principal) -> None:
    """Who asks learns nothing of it; who may know of the account does."""
    for _ in range(mail.MOST_AN_HOUR + 1):
        cache.clear()
        assert ask(username=person.label).status_code == 202
    assert len(letters()) == mail.MOST_AN_HOUR
    admin = factories.member(person.tenant)
    link = f"{API}users/{person.user.public_id}/password-link"  # type: ignore[union-attr]
    assert client(admin).post(link).status_code == 429


def test_accounts_without_a_password_get_no_link_of_their_own_asking() -> None:
    tenant = factories.tenant()
    admin = factories.member(tenant)
    path = f"{API}tenants/{tenant.public_id}/users"
    made = client(admin).post(path, {"username": "ext", "email": "ext@example.org"}, format="json")
    assert made.status_code == 201
    ask(username="ext")
    assert letters() == []
    link = f"{API}users/{made.json()['data']['id']}/password-link"
    assert client(factories.member(tenant, "member")).post(link).status_code == 403
    assert client(admin).post(link).status_code == 202
    assert confirm(token_in(letters()[-1])).status_code == 204
    body = {"username": "ext", "password": NEXT}
    assert APIClient().post(API + "auth/login", body, format="json").status_code == 200


def test_a_deactivated_person_gets_none(person: Principal) -> None:
    ask(username=person.label)
    token = token_in(letters()[-1])
    admin = factories.member(person.tenant)
    with platform_scope("test"):
        membership = users.get_membership(person.user.public_id, actor=admin)  # type: ignore[union-attr]
        users.deactivate_user(membership, actor=admin)
    assert confirm(token).json()["code"] == "token_invalid"
    ask(username=person.label)
    assert len(letters()) == 1
    refused = client(admin).post(f"{API}users/{person.user.public_id}/password-link")  # type: ignore[union-attr]
    assert (refused.status_code, refused.json()["code"]) == (409, "no_address")


def test_accounts_that_share_an_address_get_a_link_each() -> None:
    for _ in range(2):
        users.create_user(
            factories.tenant(), f"shared-{User.__name__.lower()}-{_}", email="both@example.org", password=PASSWORD,
            role="member", actor=factories.staff(),
        )  # fmt: skip
    ask(email="both@example.org")
    assert len({token_in(letter) for letter in letters()}) == 2


def test_the_pages(person: Principal) -> None:
    browser = Client()
    assert "/app/password-reset" in browser.get("/app/login").content.decode()
    assert browser.get("/app/password-reset").status_code == 200
    asked = browser.post("/app/password-reset", {"identifier": person.label})
    assert asked.status_code == 200 and "on its way" in asked.content.decode()
    nobody = browser.post("/app/password-reset", {"identifier": "nobody-at-all"})
    hide = re.compile(r'nonce="[^"]*"|csrfmiddlewaretoken" value="[^"]*"')
    assert hide.sub("", asked.content.decode()) == hide.sub("", nobody.content.decode())
    token = token_in(letters()[-1])
    path = f"/app/password-reset/{token}"
    shown = browser.get(path)
    assert shown.status_code == 200 and shown["Referrer-Policy"] == "same-origin"
    refused = browser.post(path, {"password": "short", "again": "short"})
    assert refused.status_code == 422 and "too short" in refused.content.decode()
    done = browser.post(path, {"password": NEXT, "again": NEXT})
    assert (done.status_code, done["Location"]) == (302, "/app/login")
    over = browser.get(path)
    assert over.status_code == 400 and "Ask for a new one" in over.content.decode()
