"""Buckets: found, made without a mouse, deleted."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tenants.principal import Principal
from tests import factories
from tests.stack import Account, Stack

from .conftest import Window


def test_made_with_the_keyboard_alone(page: Page, account: Account) -> None:
    page.goto("/app/buckets")
    expect(page.get_by_role("heading", name="No buckets yet")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="New bucket").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("by-hand")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("link", name="by-hand")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="The bucket by-hand is there.")).to_be_visible()


def test_escape_closes_and_the_focus_returns(page: Page, account: Account) -> None:
    page.goto("/app/buckets")
    opener = page.get_by_role("link", name="New bucket").first
    opener.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(opener).to_be_focused()


def test_what_is_wrong_stands_at_the_field(window: Window, page: Page, account: Account) -> None:
    window.allow("422")
    page.goto("/app/buckets")
    page.get_by_role("link", name="New bucket").first.click()
    name = page.get_by_label("Name", exact=True)
    name.fill("Not A Name")
    page.get_by_role("button", name="Create bucket").click()
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_be_focused()
    expect(page.get_by_role("dialog")).to_contain_text("lower-case letters")


def test_deleted_when_empty(window: Window, page: Page, account: Account) -> None:
    window.allow("409")
    account.bucket("full")
    account.bucket("empty")
    account.s3().put_object(Bucket="full", Key="a", Body=b"a")
    page.goto("/app/buckets")
    page.get_by_role("button", name="Delete empty").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name="empty")).to_be_hidden()
    page.get_by_role("button", name="Delete full").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    alert = page.get_by_role("alert").filter(has_text="The bucket is not empty.")
    expect(alert).to_be_visible()
    expect(alert).to_contain_text("Request ")
    expect(page.get_by_role("link", name="full")).to_be_visible()


def test_a_viewer_may_look_and_no_more(
    stack: Stack, window: Window, page: Page, sign_in: Callable[[Principal], None]
) -> None:
    window.allow("403")
    owner = stack.account("owner")
    owner.bucket("docs")
    with stack.database():
        sign_in(factories.member(owner.who.tenant, "viewer"))
    page.goto("/app/buckets")
    expect(page.get_by_role("link", name="docs")).to_be_visible()
    expect(page.get_by_role("link", name="New bucket")).to_have_count(0)
    expect(page.get_by_role("button", name="Delete docs")).to_have_count(0)
    expect(page.get_by_role("link", name="Audit log")).to_have_count(0)
    page.goto("/app/buckets/docs")
    expect(page.get_by_role("button", name="Upload files")).to_have_count(0)
    token = page.locator("[name=csrfmiddlewaretoken]").first.input_value()
    refused = page.request.post(
        "/app/buckets/docs/delete",
        form={"csrfmiddlewaretoken": token},
        headers={"Referer": f"{stack.url}/app/buckets"},
    )
    assert refused.status == 403
