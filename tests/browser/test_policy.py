"""The content security policy in a real browser: what we serve works under it, and what it forbids does not run."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from playwright.sync_api import Page, expect

from gateway.db.scope import platform_scope
from tests.browser.conftest import Window
from tests.stack import Account, Stack

LIST = re.compile(r"/admin/[a-z_]+/[a-z_]+/")
_WATCH = """
document.addEventListener("securitypolicyviolation", (e) =>
    console.error("CSP", e.violatedDirective, e.blockedURI, e.sourceFile, e.lineNumber))
"""


@pytest.fixture(autouse=True)
def _warnings_count(window: Window) -> Iterator[None]:
    """Alpine says in a warning what it could not evaluate; a violation says so in an event as well."""
    warnings: list[str] = []
    window.page.on("console", lambda m: warnings.append(m.text) if "Alpine" in m.text else None)
    window.page.add_init_script(_WATCH)
    yield
    assert not warnings, warnings


def policy(page: Page, path: str) -> dict[str, str]:
    """The directives of a page's policy."""
    told = page.request.get(path).headers["content-security-policy"]
    return {name: rest for name, _, rest in (part.strip().partition(" ") for part in told.split(";"))}


@pytest.mark.parametrize("path", ["/app/", "/admin/", "/admin/tenants/tenant/", "/docs", "/app/login"])
def test_no_page_may_run_text(page: Page, staff: Account, path: str) -> None:
    told = policy(page, path)
    assert told["default-src"] == "'none'"
    for directive in ("script-src", "style-src"):
        assert re.fullmatch(r"'self'( 'nonce-[A-Za-z0-9+/=]{22,}')?", told[directive]), told[directive]
    assert told["frame-ancestors"] == told["base-uri"] == "'none'"


def test_a_nonce_is_used_once(page: Page, staff: Account) -> None:
    assert "nonce" in policy(page, "/admin/")["style-src"]
    assert policy(page, "/admin/")["style-src"] != policy(page, "/admin/")["style-src"]


def test_what_somebody_slips_in_does_not_run(window: Window, page: Page, account: Account) -> None:
    window.allow("Content Security Policy|CSP|Refused")
    page.goto("/app/")
    page.evaluate(
        """() => {
            const button = document.createElement("button");
            button.setAttribute("onclick", "window.slipped = 1");
            document.body.append(button);
            button.click();
            const script = document.createElement("script");
            script.textContent = "window.slipped = 1";
            document.body.append(script);
            const away = document.createElement("script");
            away.src = "https://example.org/x.js";
            document.body.append(away);
        }"""
    )
    assert page.evaluate("window.slipped") is None
    assert page.evaluate("setTimeout('window.slipped = 1', 0)") == 0  # the number of no timer


def test_every_list_and_form_of_the_admin(page: Page, staff: Account) -> None:
    """Lists, and the form of the first row or of a new one."""
    page.goto("/admin/")
    links = page.locator("a[href^='/admin/']").all()
    paths = {path for link in links if LIST.fullmatch(path := link.get_attribute("href") or "")}
    assert len(paths) > 20
    for path in sorted(paths):
        page.goto(path)
        expect(page.locator("#changelist")).to_be_visible()
        rows = page.locator("#result_list th a, #result_list td a[href*='/change/']")
        add = page.locator(f"a[href^='{path}add/']")
        if rows.count():
            page.goto(rows.first.get_attribute("href") or "")
        elif add.count():
            page.goto(f"{path}add/")
        else:
            continue
        expect(page.locator("#content")).to_be_visible()


def test_the_admins_own_controls(stack: Stack, page: Page, staff: Account) -> None:
    """Each by an expression in a template: side bar, search, theme, filters, inlines, choices from a list."""
    stack.account("owner")
    page.goto("/admin/tenants/user/")
    html = page.locator("html")
    # the theme
    page.evaluate("localStorage.setItem('adminTheme', JSON.stringify('light'))")
    page.reload()
    expect(html).not_to_have_class(re.compile("dark"))
    page.keyboard.press("Control+e")
    expect(html).to_have_class(re.compile("dark"))
    # colours by a style element with a nonce
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--color-primary-600')")
    # the side bar is put away, and stays so
    bar = page.locator("#nav-sidebar")
    expect(bar).to_be_visible()
    page.locator("span", has_text="dock_to_right").locator("visible=true").last.click()
    expect(bar).to_be_hidden()
    page.reload()
    expect(bar).to_be_hidden()
    page.evaluate("localStorage.setItem('sidebarDesktopOpen', '1')")
    page.reload()
    expect(bar).to_be_visible()
    # searching for a model
    page.locator("#nav-filter").press_sequentially("tenant")
    expect(page.locator("#search-results").get_by_role("link").first).to_be_visible()
    page.locator("#nav-filter").press("Escape")
    expect(page.locator("#nav-filter")).to_have_value("")
    # "/" puts the cursor into the list's search
    page.locator("#nav-filter").blur()
    page.keyboard.press("/")
    expect(page.locator("#searchbar")).to_be_focused()


def test_a_periodic_task_is_edited(stack: Stack, page: Page, staff: Account) -> None:
    """Choices that are searched for, dates and times, and the package's own script."""
    with stack.database(), platform_scope("tests"):
        every = IntervalSchedule.objects.create(every=7, period="hours")
        task = PeriodicTask.objects.create(name="policy", task="gateway.tasks.clear_expired", interval=every)
    page.goto(f"/admin/django_celery_beat/periodictask/{task.pk}/change/")
    page.get_by_label("Description").fill("changed under the policy")
    page.locator(".select2-selection").first.click()
    expect(page.locator(".select2-results__option").first).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()


def test_the_api_reference(page: Page, account: Account) -> None:
    page.goto("/docs")
    operation = page.locator("#swagger-ui .opblock").first
    expect(operation).to_be_visible(timeout=60_000)
    operation.locator(".opblock-summary-control").click(timeout=60_000)  # a long page, made by one script
    expect(operation.locator(".opblock-body")).to_be_visible()
    try_it = operation.get_by_role("button", name="Try it out")
    try_it.click()
    expect(operation.get_by_role("button", name="Execute")).to_be_visible()
