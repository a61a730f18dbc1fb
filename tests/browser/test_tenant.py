"""A tenant's settings, domains and limits, as its administrator sees them."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from gateway.db.scope import platform_scope
from tenants.models import Domain
from tenants.services import tenants
from tests import factories
from tests.browser.conftest import Window, copied
from tests.stack import Account, Stack


def test_a_domain_is_added_and_told_how_to_verify(
    window: Window, page: Page, account: Account, stack: Stack
) -> None:
    window.allow("422")
    page.goto("/app/domains")
    expect(page.get_by_role("heading", name="No domains yet")).to_be_visible()
    page.get_by_role("link", name="Add domain").first.click()
    page.get_by_label("Host name").fill("localhost")
    page.get_by_role("button", name="Add domain").click()
    expect(page.get_by_text("A host name such as files.example.org")).to_be_visible()
    name = f"{account.slug}.example.org"
    page.get_by_label("Host name").fill(name)
    page.get_by_role("button", name="Add domain").click()
    expect(page.get_by_role("dialog", name=name)).to_be_visible()
    with stack.database(), platform_scope("test"):
        token = Domain.objects.get(hostname=name).token
    expect(page.get_by_text(f"_gatehouse-challenge.{name}")).to_be_visible()
    page.get_by_role("button", name="Copy the record's text").click()
    assert copied(page, token) == token
    page.get_by_role("button", name="Close").first.click()
    row = page.get_by_role("row", name=name)
    expect(row.get_by_text("Waiting for the proof")).to_be_visible()
    with page.expect_response(lambda answer: answer.url.endswith("/verify")) as answered:
        row.get_by_role("button", name="Check now").click()
    assert f"Looking for the proof of {name}." in answered.value.headers["hx-trigger"]
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_role("heading", name="No domains yet")).to_be_visible()


def test_settings_and_limits(page: Page, account: Account, stack: Stack) -> None:
    with stack.database():
        tenants.update_tenant(
            account.who.tenant,
            limits={"storage_bytes": 1 << 30, "users": 1, "devices": 5},
            actor=factories.staff(),
        )
    page.goto("/app/limits")
    members = page.get_by_role("row", name="Members")
    expect(members.get_by_role("progressbar")).to_have_attribute("value", "100")
    expect(page.get_by_role("row", name="Devices").get_by_text("not counted yet")).to_be_visible()
    page.get_by_role("link", name="Settings").first.click()
    page.get_by_label("Days that the audit log is kept").fill("90")
    page.get_by_label("Name", exact=True).fill("Renamed Ltd")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Renamed Ltd")).to_be_visible()
    expect(page.get_by_label("Days that the audit log is kept")).to_have_value("90")
