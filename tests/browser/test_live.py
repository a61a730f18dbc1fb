"""The live feed, and what a page says when the platform does not answer."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.stack import Account

from .conftest import Window


def test_an_event_arrives_without_reloading(page: Page, account: Account) -> None:
    account.bucket("docs")
    page.goto("/app/")
    expect(page.locator("[data-live]")).to_have_text("Live")
    account.s3().put_object(Bucket="docs", Key="news.txt", Body=b"12345")
    first = page.get_by_role("list", name="Events").get_by_role("listitem").first
    expect(first).to_contain_text("storage.object.created")
    expect(first).to_contain_text("docs/news.txt")
    expect(page.locator("[data-figure=objects]")).to_have_text("1")


def test_a_lost_stream_is_told_and_resumed_without_a_gap(
    window: Window, page: Page, account: Account
) -> None:
    window.allow("realtime/events")
    account.bucket("docs")
    page.route("**/api/v1/realtime/events*", lambda route: route.abort())
    page.goto("/app/")
    expect(page.locator("[data-live]")).to_have_text("Reconnecting…")
    account.s3().put_object(Bucket="docs", Key="meanwhile.txt", Body=b"x")
    page.unroute("**/api/v1/realtime/events*")
    expect(page.locator("[data-live]")).to_have_text("Live", timeout=20_000)
    expect(page.get_by_role("list", name="Events")).to_contain_text("docs/meanwhile.txt")


def test_a_request_that_fails_can_be_tried_again(window: Window, page: Page, account: Account) -> None:
    window.allow("500|ERR_FAILED|net::|htmx:")
    account.bucket("docs")
    page.goto("/app/buckets")
    page.route(
        "**/app/buckets?*", lambda route: route.fulfill(status=500, headers={"X-Request-ID": "r-12345678"})
    )
    page.get_by_label("Find by name").fill("do")
    alert = page.get_by_role("alert").filter(has_text="The server answered 500.")
    expect(alert).to_contain_text("Request r-12345678")
    page.unroute("**/app/buckets?*")
    alert.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("link", name="docs")).to_be_visible()

    page.route("**/app/buckets?*", lambda route: route.abort())
    page.get_by_label("Find by name").fill("nothing")
    expect(page.get_by_role("alert").filter(has_text="The server cannot be reached.")).to_be_visible()


def test_a_session_that_ended_leads_to_the_sign_in(window: Window, page: Page, account: Account) -> None:
    window.allow("401")
    page.goto("/app/buckets")
    expect(page.locator("[data-live]")).to_have_text("Live")
    page.context.clear_cookies()
    page.get_by_role("link", name="New bucket").first.click()
    expect(page).to_have_title("Sign in · Gatehouse")
