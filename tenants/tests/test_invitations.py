"""Invitations: sent, accepted once, by new people and by known ones, and what their links say afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from gateway.db.scope import platform_scope, tenant_scope
from gateway.redaction import redactor
from realtime.models import Event
from tenants.models import AuditEntry, Invitation, Mail, Membership, Tenant, User
from tenants.principal import Principal
from tenants.services import invitations, mail, quotas
from tenants.services.tenants import update_tenant
from tests import factories
from tests.factories import PASSWORD, client

from .post import letters, token_in

pytestmark = pytest.mark.django_db
API = "/api/v1/"


@pytest.fixture
def admin() -> Principal:
    return factories.member(factories.tenant())


def invite(admin: Principal, email: str = "ann@example.org", **fields: Any) -> Any:
    answer = client(admin).post(API + "invitations", {"email": email, **fields}, format="json")
    assert answer.status_code == 201, answer.content
    return answer.json()["data"]


def invited(admin: Principal, email: str = "ann@example.org", **fields: Any) -> str:
    """The token of a new invitation."""
    invite(admin, email, **fields)
    return token_in(letters()[-1])


def accept(token: str, who: APIClient | None = None, **fields: Any) -> Any:
    return (who or APIClient()).post(API + "invitations/accept", {"token": token, **fields}, format="json")


def new(username: str = "ann") -> dict[str, Any]:
    return {"username": username, "password": PASSWORD}


def test_a_new_person_is_invited_and_joins(admin: Principal) -> None:
    made = invite(admin, name="Ann", role="viewer")
    assert (made["state"], made["role"], made["invited_by"]) == ("pending", "viewer", admin.label)
    (letter,) = letters()
    assert letter.to == ["ann@example.org"] and admin.tenant.name in letter.subject
    token = token_in(letter)
    assert accept(token, **new()).json()["data"] == {
        "tenant": admin.tenant.slug,
        "username": "ann",
        "role": "viewer",
    }
    login = APIClient().post(API + "auth/login", new(), format="json")
    assert login.status_code == 200
    with platform_scope("test"):
        ann = User.objects.get(username="ann")
        assert (ann.email, ann.name) == ("ann@example.org", "Ann")
        assert AuditEntry.objects.filter(action="tenants.invitation.accept", actor="ann").exists()
        assert Event.objects.filter(type="tenants.user.joined", subject="ann").exists()
    shown = client(admin).get(f"{API}invitations/{made['id']}").json()["data"]
    assert (shown["state"], shown["accepted_by"]) == ("accepted", "ann")


def test_nobody_is_flooded_with_invitations(admin: Principal) -> None:
    made = invite(admin)
    path = f"{API}invitations/{made['id']}/resend"
    for _ in range(mail.MOST_AN_HOUR - 1):
        assert client(admin).post(path).status_code == 200
    before = len(letters())
    refused = client(admin).post(path)
    assert refused.status_code == 429 and refused["Retry-After"] == "3600"
    body = {"email": "ANN@example.org"}
    elsewhere = client(factories.member(factories.tenant())).post(API + "invitations", body, format="json")
    assert elsewhere.status_code == 429
    assert len(letters()) == before
    with platform_scope("test"):
        assert not Invitation.objects.filter(email="ANN@example.org").exists()
        Mail.objects.update(created_at=timezone.now() - timedelta(minutes=61))
    assert client(admin).post(path).status_code == 200


def test_the_token_is_in_the_letter_alone(admin: Principal) -> None:
    token = invited(admin)
    with platform_scope("test"):
        for row in (*Invitation.objects.values(), *Mail.objects.values(), *AuditEntry.objects.values()):
            assert token not in str(row)
        assert not any(token in str(event) for event in Event.objects.values())
        assert [bytes(mail.body_sealed) for mail in Mail.objects.all()] == [b""]


def test_a_line_that_names_the_link_loses_the_token(admin: Principal) -> None:
    token = invited(admin)
    line = redactor()(f'Internal Server Error: /app/invitations/{token} "/app/password-reset/{token}?x"')
    assert token not in line and "/app/password-reset/[redacted]" in line


def test_somebody_who_has_an_account_joins_with_it(admin: Principal) -> None:
    known = factories.member(factories.tenant(), "member")
    token = invited(admin, role="viewer")
    answer = accept(token, client(known))
    assert (answer.status_code, answer.json()["data"]["username"]) == (201, known.label)
    slugs = {t["slug"] for t in client(known).get(API + "auth/me").json()["data"]["tenants"]}
    assert slugs == {known.tenant.slug, admin.tenant.slug}
    with platform_scope("test"):
        assert Membership.objects.filter(user=known.user, is_default=True).get().tenant == known.tenant


def test_a_key_joins_nothing_and_a_signed_in_person_makes_no_second_account(admin: Principal) -> None:
    known = factories.member(factories.tenant(), "member")
    key = client(known).post(API + "api-keys", {"name": "x"}, format="json").json()["data"]["api_key"]
    token = invited(admin)
    answer = accept(token, client(None, **{"X-API-Key": key}))
    assert (answer.status_code, answer.json()["code"]) == (403, "sign_in_needed")
    answer = accept(token, client(known), **new())
    assert (answer.status_code, answer.json()["code"]) == (400, "signed_in")
    assert accept(token, client(known)).status_code == 201


def test_an_invitation_works_once(admin: Principal) -> None:
    token = invited(admin)
    assert accept(token, **new()).status_code == 201
    answer = accept(token, **new("second"))
    assert (answer.status_code, answer.json()["code"]) == (410, "invitation_accepted")
    with platform_scope("test"):
        assert not User.objects.filter(username="second").exists()


def test_an_expired_invitation_is_told_so_each_time_it_is_used(admin: Principal) -> None:
    token = invited(admin)
    with platform_scope("the clock cannot be turned"):
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    for _ in range(2):
        answer = accept(token, **new())
        assert (answer.status_code, answer.json()["code"]) == (410, "invitation_expired")
    with platform_scope("test"):
        assert not User.objects.filter(username="ann").exists()
    invite(admin)  # the expired one is in nobody's way


def test_a_revoked_invitation_is_gone(admin: Principal) -> None:
    made = invite(admin)
    token = token_in(letters()[-1])
    path = f"{API}invitations/{made['id']}"
    assert [client(admin).delete(path).status_code for _ in range(2)] == [204, 204]
    answer = accept(token, **new())
    assert (answer.status_code, answer.json()["code"]) == (410, "invitation_revoked")
    answer = client(admin).post(path + "/resend")
    assert (answer.status_code, answer.json()["code"]) == (409, "invitation_closed")


def test_a_resent_invitation_has_a_new_link_and_the_old_one_ends(admin: Principal) -> None:
    made = invite(admin)
    old = token_in(letters()[-1])
    assert client(admin).post(f"{API}invitations/{made['id']}/resend").status_code == 200
    token = token_in(letters()[-1])
    assert token != old
    answer = accept(old, **new())
    assert (answer.status_code, answer.json()["code"]) == (404, "invitation_unknown")
    assert accept(token, **new()).status_code == 201
    answer = client(admin).delete(f"{API}invitations/{made['id']}")
    assert (answer.status_code, answer.json()["code"]) == (409, "invitation_closed")


def test_the_limit_of_users_counts_when_an_invitation_is_accepted(admin: Principal) -> None:
    with platform_scope("test"):
        quotas.set_limits(admin.tenant, {"users": 1}, actor=factories.staff())
    token = invited(admin)
    answer = accept(token, **new())
    assert (answer.status_code, answer.json()["code"]) == (403, "quota_exceeded")
    with platform_scope("test"):
        assert not User.objects.filter(username="ann").exists()
        quotas.set_limits(admin.tenant, {"users": 2}, actor=factories.staff())
    assert accept(token, **new()).status_code == 201


def test_pending_invitations_are_bounded(admin: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invitations, "MOST_PENDING", 1)
    invite(admin)
    answer = client(admin).post(API + "invitations", {"email": "b@example.org"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (403, "quota_exceeded")


def test_a_closed_tenant_takes_nobody_in(admin: Principal) -> None:
    token = invited(admin)
    update_tenant(admin.tenant, status=Tenant.Status.SUSPENDED, actor=factories.staff())
    answer = accept(token, **new())
    assert (answer.status_code, answer.json()["code"]) == (403, "tenant_suspended")


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"email": "nothing"}, 400, "invalid", "email"),
        ({"email": "a@b.org", "role": "no-such"}, 400, "invalid", "role"),
        ({"email": "a@b.org", "colour": "red"}, 400, "invalid", "colour"),
        ({"email": "a@b.org", "state": "accepted"}, 400, "invalid", "state"),
        ({"email": "a@b.org", "expires_at": "2020-01-01T00:00:00Z"}, 400, "invalid", "expires_at"),
        ({"email": "a@b.org", "expires_at": "2222-01-01T00:00:00Z"}, 400, "invalid", "expires_at"),
        ({"email": "ANN@example.org"}, 409, "invited_already", "email"),
    ],
)
def test_what_is_no_invitation(
    admin: Principal, body: dict[str, Any], status: int, code: str, field: str
) -> None:
    invite(admin)
    answer = client(admin).post(API + "invitations", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert field in answer.json()["errors"]
    with tenant_scope(admin.tenant.pk):
        assert Invitation.objects.count() == 1
    assert len(letters()) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"username": "ann"}, 400, "invalid"),
        ({"username": "ann", "password": "password"}, 400, "invalid"),
        ({"username": "a b", "password": PASSWORD}, 400, "invalid"),
        ({"username": "ROOT-of-all", "password": PASSWORD}, 409, "conflict"),
        ({"username": "ann", "password": PASSWORD, "role": "owner"}, 400, "invalid"),
    ],
)
def test_a_new_account_that_cannot_be_leaves_the_invitation_as_it_was(
    admin: Principal, body: dict[str, Any], status: int, code: str
) -> None:
    token = invited(admin)
    answer = accept(token, **body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert accept(token, **new()).status_code == 201


def test_nobody_offers_more_than_they_hold(admin: Principal) -> None:
    body = {"name": "Inviter", "permissions": ["user.write", "user.read"]}
    client(admin).post(API + "roles", body, format="json")
    inviter = client(factories.member(admin.tenant, "inviter"))
    for role in ("admin", "member", "owner"):
        answer = inviter.post(API + "invitations", {"email": "a@b.org", "role": role}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing")
    answer = inviter.post(API + "invitations", {"email": "a@b.org", "role": "inviter"}, format="json")
    assert answer.status_code == 201
    made = invite(admin, role="admin")
    assert inviter.post(f"{API}invitations/{made['id']}/resend").status_code == 403


def test_inviting_tells_nothing_about_who_has_an_account(admin: Principal) -> None:
    known = factories.member(factories.tenant())
    assert known.user is not None
    answers = [invite(admin, email) for email in (known.user.email, "nobody@example.org")]
    assert answers[0].keys() == answers[1].keys()
    assert [letter.subject for letter in letters()].count(letters()[0].subject) == 2


def test_a_members_address_is_not_invited(admin: Principal) -> None:
    assert admin.user is not None
    body = {"email": admin.user.email.upper()}
    answer = client(admin).post(API + "invitations", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_another_tenants_invitation_is_not_there(admin: Principal) -> None:
    made = invite(factories.member(factories.tenant()))
    path = f"{API}invitations/{made['id']}"
    who = client(admin)
    assert [
        who.get(path).status_code,
        who.delete(path).status_code,
        who.post(path + "/resend").status_code,
    ] == [404] * 3
    assert client(admin).get(API + "invitations").json()["data"] == []


# The page behind the link


def page(browser: Client, token: str, form: dict[str, str] | None = None) -> Any:
    path = f"/app/invitations/{token}"
    return browser.post(path, form) if form is not None else browser.get(path)


def test_the_page_makes_an_account_and_leads_to_the_sign_in(admin: Principal) -> None:
    token, browser = invited(admin, name="Ann"), Client()
    shown = page(browser, token)
    assert shown.status_code == 200 and admin.tenant.name in shown.content.decode()
    refused = page(browser, token, {"username": "ann", "password": "short", "again": "short"})
    assert refused.status_code == 422 and "too short" in refused.content.decode()
    other = page(browser, token, {**new(), "again": "another"})
    assert other.status_code == 422 and "not the same" in other.content.decode()
    done = page(browser, token, {**new(), "again": PASSWORD})
    assert (done.status_code, done["Location"]) == (302, "/app/login")
    assert "no-store" in shown["Cache-Control"] and shown["Referrer-Policy"] == "same-origin"


def test_the_page_lets_the_signed_in_join(admin: Principal) -> None:
    known, token = factories.member(factories.tenant(), "member"), invited(admin)
    browser = Client()
    browser.force_login(known.user)  # type: ignore[arg-type]
    assert known.label in page(browser, token).content.decode()
    assert page(browser, token, {})["Location"] == "/app/"
    assert admin.tenant.name in browser.get("/app/").content.decode()


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"accepted_at": timezone.now()}, 410, "was used"),
        ({"revoked_at": timezone.now()}, 410, "taken back"),
        ({"expires_at": timezone.now()}, 410, "has expired"),
        ({"token_digest": "another"}, 404, "not of an invitation"),
    ],
)
def test_the_page_says_why_a_link_is_over(
    admin: Principal, change: dict[str, Any], status: int, words: str
) -> None:
    token = invited(admin)
    with platform_scope("test"):
        Invitation.objects.update(**change)
    for form in (None, {**new(), "again": PASSWORD}):
        answer = page(Client(), token, form)
        assert answer.status_code == status and words in answer.content.decode()
