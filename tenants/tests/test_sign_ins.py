"""Sign-ins: listed, ended, renewed; families of tokens; how long each lasts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.sessions.models import Session
from django.test import Client, override_settings
from django.utils import timezone
from rest_framework.test import APIClient

from gateway.db.scope import platform_scope
from gateway.errors import Forbidden
from realtime.models import Event
from tenants.models import AuditEntry, SignIn, User
from tenants.principal import Principal
from tenants.services import passwords, sign_ins
from tests import factories
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
API = "/api/v1/"


def login(who: Principal, **headers: str) -> dict[str, Any]:
    body = {"username": who.label, "password": PASSWORD}
    answer = APIClient().post(API + "auth/login", body, format="json", headers=headers)
    assert answer.status_code == 200, answer.content
    return dict(answer.json()["data"])


def bearer(tokens: dict[str, Any]) -> APIClient:
    return APIClient(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")


def browser(who: Principal) -> Client:
    client = Client(headers={"User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"})
    answer = client.post("/app/login", {"username": who.label, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def refresh(tokens: dict[str, Any]) -> Any:
    return APIClient().post(API + "auth/refresh", {"refresh": tokens["refresh"]}, format="json")


def works(tokens: dict[str, Any]) -> bool:
    return bool(bearer(tokens).get(API + "auth/me").status_code == 200)


def test_a_sign_in_is_told_and_listed() -> None:
    who = factories.member(factories.tenant())
    browser(who)
    tokens = login(who, **{"User-Agent": "curl/8.0\n\0" + "x" * 500})
    rows = bearer(tokens).get(API + "auth/sessions").json()["data"]
    assert [(row["kind"], row["is_current"]) for row in rows] == [("tokens", True), ("session", False)]
    assert rows[0]["user_agent"].startswith("curl/8.0") and len(rows[0]["user_agent"]) == 300
    assert rows[0]["ip"] == "127.0.0.1"
    with platform_scope("test"):
        told = Event.objects.filter(tenant=who.tenant, type="tenants.user.signed_in", subject=who.label)
        assert [event.data["new_address"] for event in told.order_by("pk")] == [True, False]
        assert AuditEntry.objects.filter(action="tenants.user.sign_in", target=who.label).count() == 2
        user = User.objects.get(pk=who.user.pk)  # type: ignore[union-attr]
        assert user.last_login is not None


def test_a_failed_sign_in_is_in_the_log_of_the_accounts_tenant_without_what_was_typed() -> None:
    who = factories.member(factories.tenant())
    for name, password in ((who.label, "wrong"), ("my-password-in-the-wrong-field", "x")):
        body = {"username": name, "password": password}
        answer = APIClient().post(API + "auth/login", body, format="json")
        assert (answer.status_code, answer.json()["code"]) == (401, "login_failed")
        assert answer.json()["detail"] == "The username or the password is wrong."
    with platform_scope("test"):
        failed = AuditEntry.objects.filter(action="tenants.user.sign_in_failed").order_by("pk")
        assert [(e.tenant.slug, e.target, e.actor) for e in failed] == [
            (who.tenant.slug, who.label, "anonymous"),
            ("platform", "(no such account)", "anonymous"),
        ]


def test_ending_one_ends_its_tokens_and_its_session_alone() -> None:
    who = factories.member(factories.tenant())
    mine, other, page = login(who), login(who), browser(who)
    rows = bearer(mine).get(API + "auth/sessions").json()["data"]
    by_kind = {(row["kind"], row["is_current"]): row["id"] for row in rows}
    assert bearer(mine).delete(API + f"auth/sessions/{by_kind['tokens', False]}").status_code == 204
    assert not works(other) and works(mine) and page.get("/app/").status_code == 200
    assert refresh(other).status_code == 401
    assert bearer(mine).delete(API + f"auth/sessions/{by_kind['session', False]}").status_code == 204
    assert page.get("/app/")["Location"].startswith("/app/login")
    with platform_scope("test"):
        assert not Session.objects.exists()
    assert works(mine) and len(bearer(mine).get(API + "auth/sessions").json()["data"]) == 1


def test_ending_all_others_keeps_the_one_that_asks() -> None:
    who = factories.member(factories.tenant())
    mine, other, page = login(who), login(who), browser(who)
    stranger = login(factories.member(who.tenant))
    assert bearer(mine).delete(API + "auth/sessions").status_code == 204
    assert works(mine) and not works(other) and works(stranger)
    assert page.get("/app/").status_code == 302
    with platform_scope("test"):
        event = Event.objects.get(type="tenants.sign_in.ended")
        assert (event.subject, event.data) == (who.label, {"reason": "ended", "count": 2})


def test_somebody_elses_sign_in_is_not_there() -> None:
    tenant = factories.tenant()
    who, other = factories.member(tenant), factories.member(tenant, "owner")
    row = factories.sign_in(other)
    mine = login(who)
    for public_id in (row.public_id, uuid4()):
        answer = bearer(mine).delete(API + f"auth/sessions/{public_id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    with pytest.raises(Forbidden):
        sign_ins.end(row, SignIn.Reason.ENDED, actor=who)
    with platform_scope("test"):
        assert SignIn.objects.get(pk=row.pk).ended_at is None


def test_a_spent_refresh_token_ends_the_family_and_is_told() -> None:
    who = factories.member(factories.tenant())
    first, spared = login(who), login(who)
    second = refresh(first).json()["data"]
    assert works(second)
    reused = refresh(first)
    assert (reused.status_code, reused.json()["code"]) == (401, "refresh_reused")
    assert refresh(second).status_code == 401 and not works(second) and not works(first)
    assert works(spared) and refresh(spared).status_code == 200
    assert refresh(first).json()["code"] == "unauthenticated"
    with platform_scope("test"):
        row = SignIn.objects.get(reason="refresh_reused")
        assert row.ended_at is not None and row.refresh_id == ""
        event = Event.objects.get(type="tenants.sign_in.ended", subject=who.label)
        assert event.data["reason"] == "refresh_reused"
        assert AuditEntry.objects.filter(action="tenants.sign_in.end", target=who.label).exists()


@pytest.mark.parametrize("how", ["refresh token", "bearer", "spent refresh token"])
def test_signing_out_ends_the_family(how: str) -> None:
    who = factories.member(factories.tenant())
    first = login(who)
    second = refresh(first).json()["data"]
    if how == "bearer":
        answer = bearer(second).post(API + "auth/logout", {}, format="json")
    else:
        given = first if how.startswith("spent") else second
        answer = APIClient().post(API + "auth/logout", {"refresh": given["refresh"]}, format="json")
    assert answer.status_code == 204
    assert not works(second) and refresh(second).status_code == 401
    with platform_scope("test"):
        assert SignIn.objects.get(user=who.user).reason == "signed_out"


def test_an_access_token_refreshes_nothing_and_a_refresh_token_opens_nothing() -> None:
    tokens = login(factories.member(factories.tenant()))
    assert refresh({"refresh": tokens["access"]}).status_code == 401
    assert not works({"access": tokens["refresh"]})
    for text in ("", "a.b.c", "é"):
        assert refresh({"refresh": text}).status_code in (400, 401)
    assert APIClient().post(API + "auth/logout", {"refresh": "a.b.c"}, format="json").status_code == 204


def test_a_token_of_no_sign_in_opens_nothing() -> None:
    from tenants.tokens import AccessToken

    who = factories.member(factories.tenant())
    other = factories.sign_in(factories.member(who.tenant))
    assert who.user is not None
    for sid in (None, "", "x", str(uuid4()), str(other.public_id)):
        token = AccessToken.for_user(who.user)
        if sid is not None:
            token["sid"] = sid
        assert not works({"access": str(token)})


def test_signing_out_in_the_browser_ends_the_session_everywhere() -> None:
    who = factories.member(factories.tenant())
    page = browser(who)
    copied = Client()
    copied.cookies.load(page.cookies.output(header=""))
    assert copied.get("/app/").status_code == 200
    page.post("/app/logout")
    assert copied.get("/app/").status_code == 302
    with platform_scope("test"):
        assert SignIn.objects.get(user=who.user).reason == "signed_out"


def test_signing_in_again_gives_another_session() -> None:
    who = factories.member(factories.tenant())
    page = browser(who)
    before = page.session.session_key
    page.post("/app/login", {"username": who.label, "password": PASSWORD})
    assert page.session.session_key != before
    with platform_scope("test"):
        assert not Session.objects.filter(session_key=before).exists()
        assert SignIn.objects.filter(user=who.user, ended_at=None).count() == 1


def test_another_password_ends_all_other_sign_ins() -> None:
    who = factories.member(factories.tenant())
    mine, other, page = login(who), login(who), browser(who)
    new = PASSWORD + "!"
    body = {"current_password": PASSWORD, "new_password": new}
    answer = bearer(mine).post(API + "auth/password", body, format="json")
    assert answer.status_code == 200
    assert works(answer.json()["data"]) and not works(mine) and not works(other)
    assert page.get("/app/").status_code == 302
    assert refresh(mine).status_code == 401
    with platform_scope("test"):
        assert SignIn.objects.filter(user=who.user, ended_at=None).count() == 1


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"current_password": "wrong", "new_password": PASSWORD + "!"}, "password_wrong", "current_password"),
        ({"current_password": PASSWORD, "new_password": "short"}, "invalid", "password"),
        ({"current_password": PASSWORD, "new_password": "password1234"}, "invalid", "password"),
        ({"current_password": PASSWORD}, "invalid", "new_password"),
        ({"current_password": PASSWORD, "new_password": 5}, "invalid", "new_password"),
        ({"current_password": PASSWORD, "new_password": "x", "username": "y"}, "invalid", "username"),
    ],
)
def test_a_password_that_cannot_be_changed(body: dict[str, Any], code: str, field: str) -> None:
    who = factories.member(factories.tenant())
    mine = login(who)
    answer = bearer(mine).post(API + "auth/password", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert field in answer.json()["errors"]
    assert works(mine) and login(who)


def test_a_profile_is_changed_by_its_owner() -> None:
    tenant = factories.tenant()
    who, other = factories.member(tenant), factories.member(tenant)
    mine = bearer(login(who))
    answer = mine.patch(API + "auth/me", {"name": "Ann Example", "email": "ann@example.org"}, format="json")
    assert answer.json()["data"]["name"] == "Ann Example"
    for body, field in (
        ({"email": "nonsense"}, "email"),
        ({"email": other.user.email.upper()}, "email"),  # type: ignore[union-attr]
        ({"name": "x" * 151}, "name"),
        ({"username": "root"}, "username"),
        ({"is_staff": True}, "is_staff"),
        ({"name": 5}, "name"),
    ):
        refused = mine.patch(API + "auth/me", body, format="json")
        assert refused.status_code in (400, 409) and field in refused.json()["errors"], body
    with platform_scope("test"):
        user = User.objects.get(pk=who.user.pk)  # type: ignore[union-attr]
        assert (user.name, user.email, user.is_staff) == ("Ann Example", "ann@example.org", False)
        entry = AuditEntry.objects.filter(action="tenants.user.update", target=who.label).latest("pk")
        assert entry.after == {"name": "Ann Example", "email": "ann@example.org"}


def test_staff_sign_somebody_out_everywhere_and_set_passwords() -> None:
    who = factories.member(factories.tenant())
    assert who.user is not None
    tokens, page = login(who), browser(who)
    with pytest.raises(Forbidden):
        sign_ins.sign_out_everywhere(who.user, actor=who)
    assert sign_ins.sign_out_everywhere(who.user, actor=factories.staff()) == 2
    assert sign_ins.sign_out_everywhere(who.user, actor=factories.staff()) == 0
    assert not works(tokens) and page.get("/app/").status_code == 302
    tokens = login(who)
    passwords.set_password(who.user, PASSWORD + "!", actor=factories.staff())
    assert not works(tokens)
    with platform_scope("test"):
        reasons = SignIn.objects.filter(user=who.user).values_list("reason", flat=True)
        assert sorted(reasons) == ["ended_by_staff", "ended_by_staff", "password_changed"]


@override_settings(SESSION_IDLE_MINUTES=30, SESSION_MAX_DAYS=2)
@pytest.mark.parametrize(
    ("created", "seen", "kind", "lasts"),
    [
        (timedelta(days=1), timedelta(minutes=29), "session", True),
        (timedelta(days=1), timedelta(minutes=31), "session", False),
        (timedelta(days=2, minutes=1), timedelta(0), "session", False),
        (timedelta(days=1), timedelta(hours=20), "tokens", True),
        (timedelta(days=2, minutes=1), timedelta(0), "tokens", False),
    ],
)
def test_how_long_a_sign_in_lasts(created: timedelta, seen: timedelta, kind: str, lasts: bool) -> None:
    who = factories.member(factories.tenant())
    page, tokens = browser(who), login(who)
    now = timezone.now()
    with platform_scope("the clock cannot be turned"):
        SignIn.objects.update(created_at=now - created, last_seen_at=now - seen)
    from tenants.services import snapshot

    with platform_scope("test"):
        snapshot.changed("sign_ins")
    if kind == "session":
        assert (page.get("/app/").status_code == 200) is lasts
    else:
        assert works(tokens) is lasts
    with platform_scope("the clock cannot be turned"):
        SignIn.objects.filter(ended_at=None).update(created_at=now - created, last_seen_at=now - seen)
    sign_ins.tidy()
    sign_ins.tidy()
    with platform_scope("test"):
        row = SignIn.objects.get(user=who.user, kind=kind)
        assert (row.ended_at is None) is lasts
        assert row.reason == ("" if lasts else "expired")
        if kind == "session":
            assert Session.objects.filter(session_key=row.session_key).exists() is lasts


def test_use_is_noted_to_the_minute() -> None:
    who = factories.member(factories.tenant())
    page = browser(who)
    long_ago = timezone.now() - timedelta(minutes=5)
    with platform_scope("the clock cannot be turned"):
        SignIn.objects.update(last_seen_at=long_ago)
    page.get("/app/")
    with platform_scope("test"):
        seen = SignIn.objects.get(user=who.user).last_seen_at
    assert seen > long_ago
    page.get("/app/")
    with platform_scope("test"):
        assert SignIn.objects.get(user=who.user).last_seen_at == seen


def test_what_ended_long_ago_is_forgotten() -> None:
    who = factories.member(factories.tenant())
    for days in (89, 91):
        factories.sign_in(who, ended_at=timezone.now() - timedelta(days=days), reason="ended")
    sign_ins.tidy()
    with platform_scope("test"):
        assert SignIn.objects.filter(user=who.user).count() == 1


def test_a_session_of_before_gets_a_sign_in() -> None:
    who = factories.member(factories.tenant())
    page = Client()
    page.force_login(who.user)  # type: ignore[arg-type]
    assert page.get("/app/").status_code == 200
    assert page.get("/app/account/sessions").status_code == 200
    with platform_scope("test"):
        row = SignIn.objects.get(user=who.user)
    assert row.session_key == page.session.session_key
