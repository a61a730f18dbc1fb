"""Second factors in the browser: an app by its secret, a security key by Chromium's virtual authenticator.

A platform of its own: WebAuthn knows no addresses, so the pages' host must be a name.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.plugin import DjangoDbBlocker

from gateway.db.scope import platform_scope
from tenants.models import SignIn, TenantSettings
from tenants.services import snapshot
from tests import factories
from tests.stack import Account, Stack

from .conftest import Window


@pytest.fixture(scope="module")
def named(
    tmp_path_factory: pytest.TempPathFactory,
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("s"), django_db_blocker)
    before = made.name
    made.name += "_named"
    for key, value in made.environment.items():
        made.environment[key] = value.replace(before, made.name)
    made.environment["PUBLIC_BASE_URL"] = f"http://localhost:{made.port}"
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def window(named: Stack, chromium: Browser, context_options: dict[str, Any]) -> Iterator[Window]:
    context = chromium.new_context(base_url=named.environment["PUBLIC_BASE_URL"], **context_options)
    context.set_default_timeout(30_000)
    opened = Window(context)
    yield opened
    context.close()
    opened.check()


@pytest.fixture
def security_key(page: Page) -> Any:
    """A key that is plugged in and touched at once; what it holds can be asked of the CDP session."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "usb",
        "hasUserVerification": False,
        "automaticPresenceSimulation": True,
    }
    added = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session, added["authenticatorId"]


def sign_in(page: Page, who: Account) -> None:
    page.goto("/app/login")
    page.get_by_label("Username").fill(who.who.label)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def add_app(page: Page) -> tuple[str, list[str]]:
    """From the page of second factors on: the app's secret and the recovery codes."""
    page.get_by_role("link", name="Add an app").first.click()
    page.get_by_label("Name").fill("phone")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    secret = page.locator("#totp-secret").inner_text()
    page.get_by_label("Code that the app shows").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    codes = page.locator("#recovery-codes").inner_text().split()
    page.get_by_role("link", name="I have kept them").click()
    return secret, codes


def test_an_app_and_its_recovery_codes(named: Stack, window: Window, page: Page) -> None:
    window.allow("422")
    who = named.account("member")
    sign_in(page, who)
    page.get_by_role("link", name="Your account").click()
    page.get_by_role("link", name="Second factor").click()
    secret, codes = add_app(page)
    expect(page.get_by_role("row", name="phone")).to_contain_text("Authenticator app")
    page.get_by_role("button", name="Sign out").click()

    sign_in(page, who)
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    page.goto("/app/")  # the password alone opens nothing
    expect(page).to_have_title("Sign in · Gatehouse")
    sign_in(page, who)
    page.get_by_label("Code of your app").fill("000000")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert").first).to_contain_text("wrong, or was used already")
    page.get_by_label("Code of your app").fill(pyotp.TOTP(secret).at(time.time() + 30))
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name=who.who.tenant.name)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()

    sign_in(page, who)
    page.get_by_text("Use a recovery code").click()
    page.get_by_label("Recovery code").fill(codes[3])
    page.get_by_role("button", name="Sign in with it").click()
    expect(page.get_by_role("heading", name=who.who.tenant.name)).to_be_visible()


def test_a_security_key(named: Stack, window: Window, page: Page, security_key: Any) -> None:
    who = named.account("member")
    sign_in(page, who)
    page.goto("/app/account/second-factor")
    page.get_by_role("link", name="Add a security key").click()
    page.get_by_label("Name").fill("yellow key")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Use the key").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    session, authenticator = security_key
    held = session.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
    assert [(key["rpId"], key["isResidentCredential"]) for key in held] == [("localhost", False)]
    page.goto("/app/account/second-factor")
    page.get_by_role("button", name="Sign out").click()

    sign_in(page, who)
    page.get_by_role("button", name="Use a security key").click()
    expect(page.get_by_role("heading", name=who.who.tenant.name)).to_be_visible()
    with named.database(), platform_scope("test"):
        shown = SignIn.objects.filter(user=who.who.user).latest("pk").second_factor
    assert shown == "webauthn"

    page.goto("/app/account/second-factor/new/webauthn")
    page.get_by_label("Name").fill("the same again")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Use the key").click()
    expect(page.get_by_text("This security key is known already.")).to_be_visible()
    page.goto("/app/account/second-factor")
    page.get_by_role("button", name="Remove yellow key").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_role("heading", name="The password alone opens your account")).to_be_visible()


def test_a_security_key_is_for_one_address(named: Stack, window: Window, page: Page) -> None:
    who = named.account("member")
    page.goto(f"{named.url}/app/login")  # an address, not the name
    page.get_by_label("Username").fill(who.who.label)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto(f"{named.url}/app/account/second-factor/new/webauthn")
    page.get_by_label("Name").fill("key")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Use the key").click()
    expect(page.get_by_text("Security keys do not work at this address.")).to_be_visible()


def test_a_tenant_that_requires_one_leads_to_it(named: Stack, window: Window, page: Page) -> None:
    who = named.account("admin")
    with named.database(), platform_scope("test"):
        TenantSettings.objects.filter(tenant=who.who.tenant).update(require_second_factor=True)
        snapshot.changed("tenants")
    sign_in(page, who)
    expect(page).to_have_url(
        f"{named.environment['PUBLIC_BASE_URL']}/app/account/second-factor?next=%2Fapp%2F"
    )
    expect(page.get_by_role("alert").first).to_contain_text("requires a second factor")
    for path in ("/app/buckets", "/app/members", "/app/events"):
        page.goto(path)
        expect(page.get_by_role("link", name="Add an app").first).to_be_visible()
    add_app(page)
    page.goto("/app/members")
    expect(page.get_by_role("heading", name="Members", exact=True)).to_be_visible()
    window.allow("422|409")
    page.goto("/app/account/second-factor")
    page.get_by_role("button", name="Remove phone").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("add another before you remove this one")).to_be_visible()


def test_sessions_are_ended_from_the_page(
    named: Stack, chromium: Browser, window: Window, page: Page
) -> None:
    who = named.account("member")
    sign_in(page, who)
    elsewhere = chromium.new_context(base_url=named.environment["PUBLIC_BASE_URL"])
    other = elsewhere.new_page()
    sign_in(other, who)
    expect(other.get_by_role("heading", name=who.who.tenant.name)).to_be_visible()
    other.goto("about:blank")  # an open page may go to the sign-in by itself, and meet the `goto` below
    page.goto("/app/account/sessions")
    expect(page.get_by_text("This one")).to_have_count(1)
    page.get_by_role("button", name="End Chrome on Linux").click()
    expect(page.get_by_role("button", name="End Chrome on Linux")).to_have_count(0)
    other.goto("/app/")
    expect(other).to_have_title("Sign in · Gatehouse")
    elsewhere.close()


def test_the_password_is_changed_and_asked_for_again(named: Stack, window: Window, page: Page) -> None:
    window.allow("422")
    who = named.account("member")
    sign_in(page, who)
    page.goto("/app/account")
    page.get_by_label("Current password").fill("wrong")
    page.get_by_label("New password").fill(factories.PASSWORD + "!")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("The password is wrong.")).to_be_visible()
    page.get_by_label("Current password").fill(factories.PASSWORD)
    page.get_by_label("New password").fill(factories.PASSWORD + "!")
    page.get_by_role("button", name="Change the password").click()
    expect(page.locator("#toasts").get_by_text("Your password is changed")).to_be_visible()
    with named.database(), platform_scope("the clock cannot be turned"):
        SignIn.objects.filter(user=who.who.user).update(confirmed_at="2026-01-01T00:00:00Z")
    page.get_by_label("E-mail address").fill("other@example.org")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("textbox", name="Your password").fill(factories.PASSWORD + "!")
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("E-mail address").fill("other@example.org")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#toasts").get_by_text("Your profile is saved.")).to_be_visible()
