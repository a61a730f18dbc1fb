"""What holds on every page: no errors, nothing that the policy forbids, accessible, and fit for a narrow screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.stack import Account, Stack

from . import instances

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
PAGES = {
    "overview": "/app/",
    "buckets": "/app/buckets",
    "new bucket": "/app/buckets/new",
    "objects": "/app/buckets/docs",
    "folder": "/app/buckets/docs?prefix=a/",
    "empty bucket": "/app/buckets/empty",
    "object": "/app/buckets/docs/object?key=README.md",
    "an older version": "/app/buckets/versions/object?key=a.txt",
    "versions of a level": "/app/buckets/versions?versions=1",
    "bucket settings": "/app/buckets/versions/settings",
    "bucket policy": "/app/buckets/docs/policy",
    "bucket usage": "/app/buckets/docs/usage",
    "access keys": "/app/access-keys",
    "new access key": "/app/access-keys/new",
    "share links": "/app/share-links",
    "backends": "/app/backends",
    "new backend": "/app/backends/new",
    "workspaces": "/app/workspaces",
    "no workspace found": "/app/workspaces?state=deleted",
    "new workspace": "/app/workspaces/new",
    "services": "/app/services",
    "new service": "/app/services/new",
    "new external service": "/app/services/new-external",
    "templates": "/app/templates",
    "new template": "/app/templates/new",
    "API keys": "/app/api-keys",
    "new API key": "/app/api-keys/new",
    "service accounts": "/app/service-accounts",
    "new service account": "/app/service-accounts/new",
    "members": "/app/members",
    "new member": "/app/members/new",
    "invite": "/app/members/invite",
    "import members": "/app/members/import",
    "roles": "/app/roles",
    "new role": "/app/roles/new",
    "tenant settings": "/app/tenant/settings",
    "domains": "/app/domains",
    "new domain": "/app/domains/new",
    "limits": "/app/limits",
    "account": "/app/account",
    "sessions": "/app/account/sessions",
    "second factor": "/app/account/second-factor",
    "new second factor": "/app/account/second-factor/new/totp",
    "the password again": "/app/account/confirm",
    "audit": "/app/audit",
    "events": "/app/events",
    "nothing found": "/app/events?kind=no.such",
}
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OF_THE_LOOK = ["color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block"]
WINDOWS: dict[str, dict[str, Any]] = {
    "wide-light": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "narrow-dark": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"},
}


@pytest.fixture(params=list(WINDOWS.values()), ids=list(WINDOWS))
def context_options(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"reduced_motion": "reduce", **request.param}


def serious(page: Page, rules: list[str] | None = None) -> list[str]:
    """What axe finds that keeps people out. It runs in the page's world but not as a script of the page's."""
    page.evaluate(AXE)
    only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": TAGS}
    found = page.evaluate(
        "only => axe.run(document, {runOnly: only, resultTypes: ['violations']})",
        only,
    )
    return [
        f"{page.url}: {violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.timeout(300)  # axe looks at some forty pages
def test_pages(page: Page, account: Account) -> None:
    """One window goes through them all, as a person does."""
    account.bucket("docs")
    account.bucket("empty")
    s3 = account.s3()
    for key in ("README.md", "a/b.txt", "a/" + "long-name-" * 20, "<i>&.html"):
        s3.put_object(Bucket="docs", Key=key, Body=b"x" * 2000)
    account.bucket("versions")
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        s3.put_object(Bucket="versions", Key="a.txt", Body=b"text", ContentType="text/plain")
    s3.delete_object(Bucket="versions", Key="a.txt")
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
    s3.put_bucket_cors(Bucket="versions", CORSConfiguration={"CORSRules": [rule]})
    look_at(page, PAGES)


def test_pages_of_instances(stack: Stack, page: Page, account: Account) -> None:
    look_at(page, instances.show(stack, account))


def look_at(page: Page, pages: dict[str, str]) -> None:
    problems: list[str] = []
    narrow = page.evaluate("window.innerWidth") < 500  # the same elements in another look
    for name, path in pages.items():
        page.goto(path)
        expect(page.get_by_role("main")).to_be_visible()
        if not fits(page):
            problems.append(f"{name} is wider than the window")
        problems += serious(page, OF_THE_LOOK if narrow else None)
    assert not problems, "\n".join(problems)


def test_signed_out(page: Page) -> None:
    page.goto("/app/login")
    assert fits(page)
    assert not serious(page)


def test_dialogs(page: Page, account: Account) -> None:
    """Those that hold what was just made."""
    page.goto("/app/access-keys")
    page.get_by_role("link", name="New access key").first.click()
    page.get_by_label("Name", exact=True).fill("laptop")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_role("dialog", name="Your new access key")).to_be_visible()
    assert fits(page)
    assert not serious(page)


def test_the_menu_of_a_narrow_screen(page: Page, account: Account) -> None:
    page.goto("/app/")
    menu = page.get_by_role("button", name="Menu")
    if not menu.is_visible():
        expect(page.get_by_role("navigation", name="Main")).to_be_visible()
        return
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    menu.click()
    expect(menu).to_have_attribute("aria-expanded", "true")
    page.get_by_role("link", name="Buckets").first.click()
    expect(page.get_by_role("heading", name="Buckets", exact=True)).to_be_visible()


def test_the_theme_is_kept(page: Page, account: Account) -> None:
    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor"))

    page.goto("/app/login")
    page.goto("/app/")
    of_the_system = background()
    page.evaluate("localStorage.setItem('adminTheme', JSON.stringify('dark'))")
    page.reload()
    dark = background()
    page.evaluate("localStorage.setItem('adminTheme', JSON.stringify('light'))")
    page.reload()
    light = background()
    assert dark != light
    assert of_the_system in (dark, light)
    if page.get_by_role("button", name="Menu").is_visible():
        page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Theme: light").click()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    expect(page.locator("html")).to_have_css("background-color", dark)
