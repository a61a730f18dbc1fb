"""A browser on the running platform. Each test has a tenant and a window of its own; a window that logged an error
or broke the content security policy fails its test."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from storage.s3.tests.backends import moto
from tenants.principal import Principal
from tests import factories
from tests.instance import until
from tests.stack import Account, Stack

__all__ = ["moto"]

# Playwright's synchronous interface keeps a loop running in this thread, and Django refuses to query beside one.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

expect.set_options(timeout=30_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


# What Playwright switches off, whose list gives way to ours; and the pages behind the address bar, which each window
# renders unseen for a fifth of the run's time.
_OFF = (
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades"),
    *("HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding"),
    *("ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints"),
    *("NetworkTimeServiceQuerying", "AimEnabled", "PreconnectToSearch"),
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup"),
)


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no Chromium: apt-get install chromium")
    browser = playwright.chromium.launch(executable_path=path, args=["--disable-features=" + ",".join(_OFF)])
    yield browser
    browser.close()


class Window:
    """A page with what its console said. `allow` names complaints that a test provokes."""

    def __init__(self, context: BrowserContext) -> None:
        self.page = context.new_page()
        self.complaints: list[str] = []
        self._allowed: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location['url']})")

    def allow(self, pattern: str) -> None:
        self._allowed.append(pattern)

    def check(self) -> None:
        left = [c for c in self.complaints if not any(re.search(p, c) for p in self._allowed)]
        assert not left, left


@pytest.fixture
def context_options() -> dict[str, Any]:
    """Overridden by tests that want another window size or colour scheme."""
    return {}


@pytest.fixture
def window(stack: Stack, chromium: Browser, context_options: dict[str, Any]) -> Iterator[Window]:
    """Signed out."""
    context = chromium.new_context(
        base_url=stack.url, **({"viewport": {"width": 1280, "height": 900}} | context_options)
    )
    context.set_default_timeout(30_000)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened = Window(context)
    yield opened
    context.close()
    opened.check()


@pytest.fixture
def page(window: Window) -> Page:
    return window.page


def copied(page: Page, text: str) -> str:
    """What the clipboard holds once `text` is in it: a button's script copies in its own time."""

    def held() -> str:
        found = str(page.evaluate("navigator.clipboard.readText()"))
        return found if text in found else ""

    return until(held, 30, f"{text} is copied")


@pytest.fixture
def sign_in(stack: Stack, window: Window) -> Callable[[Principal], None]:
    """Give the window a session of an account, as the sign-in page would (which has tests of its own)."""

    def begin(who: Principal) -> None:
        user = who.user
        assert user is not None
        with stack.database():
            session = import_module(settings.SESSION_ENGINE).SessionStore()
            session[SESSION_KEY] = str(user.pk)
            session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
            session[HASH_SESSION_KEY] = user.get_session_auth_hash()
            session.save()
        cookie = f"gatehouse_session_{stack.port}"
        window.page.context.add_cookies(
            [{"name": cookie, "value": session.session_key, "url": stack.url, "httpOnly": True}]
        )

    return begin


@pytest.fixture
def account(stack: Stack, sign_in: Callable[[Principal], None]) -> Account:
    """An administrator of a new tenant, signed in."""
    made = stack.account("admin")
    sign_in(made.who)
    return made


@pytest.fixture
def staff(stack: Stack, sign_in: Callable[[Principal], None]) -> Account:
    """The platform's staff, signed in."""
    with stack.database():
        made = stack.key_of(factories.staff())
    sign_in(made.who)
    return made
