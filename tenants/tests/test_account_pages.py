"""Pages of one's own account and of signing in, without a browser; and what staff do about them in the admin."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone

from gateway.db.scope import platform_scope
from storage.services import backends
from tenants.models import SecondFactor, SignIn, TenantSettings
from tenants.principal import Credential, Principal
from tenants.services import snapshot, standing
from tests import factories
from tests.factories import PASSWORD

from .authenticator import code, stopped_clock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]
__all__ = ["stopped_clock"]
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/app/members"}
FACTOR = "/app/account/second-factor"


@pytest.fixture(autouse=True)
def _store() -> None:
    backends.ensure_default_backends()


def signed_in(who: Principal) -> Client:
    client = Client()
    answer = client.post("/app/login", {"username": who.label, "password": PASSWORD})
    assert answer.status_code == 302, answer.content
    return client


def add_app(client: Client, name: str = "phone") -> str:
    """Set up an app by the pages; its secret."""
    to = client.post(f"{FACTOR}/new/totp", {"name": name})["Location"]
    secret = client.get(to).content.decode().split('id="totp-secret">')[1].split("<")[0]
    done = client.post(to, {"code": code(secret, -1)})
    assert done.status_code in (200, 302)
    return secret


def require(who: Principal) -> None:
    with platform_scope("test"):
        TenantSettings.objects.filter(tenant=who.tenant).update(require_second_factor=True)
        snapshot.changed("tenants")


def forget_password_entry() -> None:
    with platform_scope("the clock cannot be turned"):
        SignIn.objects.update(confirmed_at=timezone.now() - timedelta(minutes=11))


def test_the_password_alone_gives_no_session_where_there_is_a_second_factor() -> None:
    who = factories.member(factories.tenant())
    secret = add_app(signed_in(who))
    page = Client()
    form = {"username": who.label, "password": PASSWORD, "next": "/app/buckets"}
    answer = page.post("/app/login", form)
    assert answer["Location"] == "/app/login/second-factor?next=%2Fapp%2Fbuckets"
    assert page.get("/app/buckets").status_code == 302
    assert page.get("/api/v1/auth/me").status_code == 401
    wrong = page.post("/app/login/second-factor", {"code": "000000"})
    assert wrong.status_code == 422 and "wrong, or was used already" in wrong.content.decode()
    before = page.session.session_key
    shown = code(secret)
    right = page.post("/app/login/second-factor", {"code": shown, "next": "/app/buckets"})
    assert right["Location"] == "/app/buckets" and page.get("/app/buckets").status_code == 200
    assert page.session.session_key != before
    other = Client()
    other.post("/app/login", {"username": who.label, "password": PASSWORD})
    assert other.post("/app/login/second-factor", {"code": shown}).status_code == 422


@pytest.mark.parametrize("asked", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_the_second_step_goes_on_within_the_site(asked: str) -> None:
    who = factories.member(factories.tenant())
    secret = add_app(signed_in(who))
    page = Client()
    page.post("/app/login", {"username": who.label, "password": PASSWORD, "next": asked})
    answer = page.post("/app/login/second-factor", {"code": code(secret), "next": asked})
    assert answer["Location"] == "/app/"
    page.post("/app/account/confirm", {"password": PASSWORD, "next": asked})
    confirmed = page.post("/app/account/confirm", {"password": PASSWORD, "next": asked})
    assert confirmed["Location"] == "/app/account"


@pytest.mark.parametrize(
    "form", [{}, {"code": "1", "recovery_code": "2"}, {"webauthn": "[]"}, {"webauthn": "{"}]
)
def test_odd_answers_at_the_second_step(form: dict[str, str]) -> None:
    who = factories.member(factories.tenant())
    add_app(signed_in(who))
    page = Client()
    page.post("/app/login", {"username": who.label, "password": PASSWORD})
    assert page.post("/app/login/second-factor", form).status_code == 422
    assert page.get("/app/").status_code == 302


def test_the_second_step_without_the_first() -> None:
    page = Client()
    assert "Sign in" in page.get("/app/login/second-factor").content.decode()
    assert page.post("/app/login/second-factor", {"code": "000000"}).status_code == 200
    assert page.get("/app/").status_code == 302


def test_pages_lead_to_the_set_up_that_a_tenant_requires_and_back() -> None:
    who = factories.member(factories.tenant(), "owner")
    page = signed_in(who)
    require(who)
    for path in ("/app/", "/app/members", "/app/buckets", "/app/audit", "/app/api-keys"):
        answer = page.get(path)
        assert answer.status_code == 302 and answer["Location"].startswith(f"{FACTOR}?next="), path
    part = page.get("/app/members/new", headers=HTMX)
    assert part.status_code == 403 and part["HX-Redirect"].startswith(FACTOR)
    assert page.post("/app/buckets", {"name": "docs"})["Location"] == FACTOR
    for path in ("/app/account", "/app/account/sessions", FACTOR):
        assert page.get(path).status_code == 200, path
    add_app(page)
    assert page.get("/app/members").status_code == 200

    older = Client()
    older.force_login(who.user)  # type: ignore[arg-type]
    assert older.get("/app/members")["Location"].startswith("/app/login/second-factor?next=")


def test_a_session_of_the_password_alone_shows_the_factor_afterwards() -> None:
    who = factories.member(factories.tenant(), "owner")
    older = signed_in(who)
    secret = add_app(signed_in(who))
    require(who)
    to = older.get("/app/members")["Location"]
    assert older.get(to).status_code == 200
    before = older.session.session_key
    done = older.post("/app/login/second-factor", {"code": code(secret), "next": "/app/members"})
    assert done["Location"] == "/app/members" and older.get("/app/members").status_code == 200
    assert older.session.session_key != before
    with platform_scope("test"):
        assert not Session.objects.filter(session_key=before).exists()
        row = SignIn.objects.get(public_id=older.session["sign_in"])
    assert (row.session_key, row.second_factor) == (older.session.session_key, "totp")


def test_an_older_session_shows_the_factor_before_it_changes_factors() -> None:
    who = factories.member(factories.tenant())
    older = signed_in(who)
    secret = add_app(signed_in(who))
    to = older.get(f"{FACTOR}/new/totp")["Location"]
    assert to.startswith("/app/login/second-factor?next=")
    changed = older.post("/app/account", {"name": "Ann", "email": "new@example.org"})
    assert changed["Location"].startswith("/app/login/second-factor?next=")
    assert older.get(to).status_code == 200
    back = {"code": code(secret), "next": f"{FACTOR}/new/totp"}
    assert older.post("/app/login/second-factor", back)["Location"] == back["next"]
    assert older.get(back["next"]).status_code == 200
    assert older.get("/app/login/second-factor").status_code == 302


def test_what_the_platform_requires_binds_its_staff_in_every_tenant() -> None:
    root, elsewhere = factories.staff(), factories.tenant()
    page, api = signed_in(root), factories.client(root, **{"X-Tenant": elsewhere.slug})
    page.post("/app/tenant", {"tenant": elsewhere.slug})
    assert api.get("/api/v1/tenants").status_code == 200
    with platform_scope("test"):
        row = SignIn.objects.filter(user=root.user, kind=SignIn.Kind.TOKENS).latest("pk")
    credential = Credential("jwt", sign_in=str(row.public_id))
    holder = standing.Holder(elsewhere.pk, root.user.pk, credential)  # type: ignore[union-attr]
    before = state(holder)
    require(root)
    assert state(holder) != before
    refused = api.get("/api/v1/tenants")
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_setup_required")
    assert page.get("/admin/", headers={"X-Tenant": elsewhere.slug})["Location"].startswith(FACTOR)
    add_app(page)
    assert page.get("/admin/", headers={"X-Tenant": elsewhere.slug}).status_code == 200


def state(holder: standing.Holder) -> str:
    """What long connections of the holder are asked about."""
    statement = re.sub(r"\$\d", "%s", standing.STATE)
    with platform_scope("test"), connection.cursor() as cursor:
        cursor.execute(statement, standing.states([holder]))
        return str(cursor.fetchone()[1])


def test_the_admin_is_closed_without_the_factor_that_is_required() -> None:
    root = factories.staff()
    page = signed_in(root)
    assert page.get("/admin/").status_code == 200
    require(root)
    assert page.get("/admin/")["Location"].startswith(FACTOR)
    assert page.post("/admin/tenants/user/", {})["Location"] == FACTOR
    add_app(page)
    assert page.get("/admin/").status_code == 200


def test_pages_ask_for_the_password_again() -> None:
    who = factories.member(factories.tenant())
    page = signed_in(who)
    add_app(page)
    forget_password_entry()
    assert page.get(f"{FACTOR}/new/totp")["Location"].endswith(
        "next=%2Fapp%2Faccount%2Fsecond-factor%2Fnew%2Ftotp"
    )
    with platform_scope("test"):
        factor = SecondFactor.objects.get(user=who.user)
    remove = f"{FACTOR}/{factor.public_id}/remove"
    part = page.post(remove, headers=HTMX)
    assert part.status_code == 403 and part["HX-Redirect"].startswith("/app/account/confirm?next=")
    assert page.post(f"{FACTOR}/recovery-codes")["Location"].startswith("/app/account/confirm?next=")
    changed = page.post("/app/account", {"name": "Ann", "email": "new@example.org"})
    assert changed["Location"].startswith("/app/account/confirm?next=")
    wrong = page.post("/app/account/confirm", {"password": "wrong", "next": FACTOR})
    assert wrong.status_code == 422
    assert page.post("/app/account/confirm", {"password": PASSWORD, "next": FACTOR})["Location"] == FACTOR
    assert page.post(remove, headers=HTMX).status_code == 200
    with platform_scope("test"):
        assert not SecondFactor.objects.filter(user=who.user).exists()


def test_somebody_elses_things_are_not_there() -> None:
    tenant = factories.tenant()
    who, other = factories.member(tenant), factories.member(tenant)
    add_app(signed_in(other))
    page = signed_in(who)
    with platform_scope("test"):
        factor = SecondFactor.objects.get(user=other.user)
        row = SignIn.objects.get(user=other.user)
    for path in (f"{FACTOR}/{factor.public_id}/remove", f"/app/account/sessions/{row.public_id}/end"):
        answer = page.post(path, headers=HTMX)
        assert answer.status_code in (404, 422), path
    assert page.get(f"{FACTOR}/{factor.public_id}").status_code == 404
    assert page.get(f"{FACTOR}/new/sms").status_code == 404
    with platform_scope("test"):
        assert SecondFactor.objects.filter(pk=factor.pk).exists()
        assert SignIn.objects.get(pk=row.pk).ended_at is None


def test_sessions_are_listed_and_ended() -> None:
    who = factories.member(factories.tenant())
    page, other = signed_in(who), signed_in(who)
    shown = page.get("/app/account/sessions").content.decode()
    assert shown.count("This one") == 1
    with platform_scope("test"):
        row = SignIn.objects.get(public_id=other.session["sign_in"])
    part = page.post(f"/app/account/sessions/{row.public_id}/end", headers=HTMX)
    assert part.status_code == 200 and "<html" not in part.content.decode()
    assert other.get("/app/").status_code == 302
    third = signed_in(who)
    assert page.post("/app/account/sessions/end-others", headers=HTMX).status_code == 200
    assert third.get("/app/").status_code == 302 and page.get("/app/").status_code == 200


def test_ones_own_password_keeps_this_session_alone() -> None:
    who = factories.member(factories.tenant())
    page, other = signed_in(who), signed_in(who)
    form = {"current_password": PASSWORD, "new_password": PASSWORD + "!"}
    assert page.post("/app/account/password", form | {"current_password": "wrong"}).status_code == 422
    refused = page.post("/app/account/password", form | {"new_password": "short"})
    assert refused.status_code == 422 and "too short" in refused.content.decode()
    assert page.post("/app/account/password", form)["Location"] == "/app/account"
    assert page.get("/app/").status_code == 200 and other.get("/app/").status_code == 302
    with platform_scope("test"):
        row = SignIn.objects.get(user=who.user, ended_at=None)
    assert row.session_key == page.session.session_key


def test_staff_end_sign_ins_and_reset_factors_in_the_admin() -> None:
    who = factories.member(factories.tenant())
    page = signed_in(who)
    add_app(page)
    root = signed_in(factories.staff())
    assert who.label in root.get("/admin/tenants/signin/").content.decode()
    assert who.label in root.get("/admin/tenants/secondfactor/").content.decode()
    with platform_scope("test"):
        row = SignIn.objects.get(user=who.user)
    shown = root.get(f"/admin/tenants/signin/{row.pk}/change/").content.decode()
    assert row.session_key not in shown
    assert who.user is not None

    def do(action: str, model: str, pk: int) -> None:
        form = {"action": action, "_selected_action": [pk]}
        assert root.post(f"/admin/tenants/{model}/", form).status_code == 302

    do("end", "signin", row.pk)
    assert page.get("/app/").status_code == 302
    page = Client()
    do("reset_second_factor", "user", who.user.pk)
    page = signed_in(who)
    assert page.get("/app/").status_code == 200
    do("sign_out_everywhere", "user", who.user.pk)
    assert page.get("/app/").status_code == 302
    assert root.get("/admin/").status_code == 200
