"""Signing in and out."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests import factories
from tests.stack import Account, Stack

from .conftest import Window


def fill(page: Page, username: str, password: str) -> None:
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_in_and_out(stack: Stack, page: Page) -> None:
    account = stack.account("member")
    page.goto("/app/")
    expect(page).to_have_title("Sign in · Gatehouse")
    fill(page, account.who.label, factories.PASSWORD)
    expect(page.get_by_role("heading", name=account.who.tenant.name)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_title("Sign in · Gatehouse")
    page.goto("/app/buckets")
    expect(page).to_have_title("Sign in · Gatehouse")


def test_comes_back_to_where_one_wanted_to_go(stack: Stack, page: Page) -> None:
    account = stack.account("member")
    page.goto("/app/buckets?q=x")
    fill(page, account.who.label, factories.PASSWORD)
    expect(page).to_have_url(f"{stack.url}/app/buckets?q=x")


def test_never_goes_elsewhere(stack: Stack, page: Page) -> None:
    account = stack.account("member")
    page.goto("/app/login?next=//evil.example/")
    fill(page, account.who.label, factories.PASSWORD)
    expect(page).to_have_url(f"{stack.url}/app/")


def test_a_wrong_password_says_so_and_keeps_the_name(stack: Stack, window: Window, page: Page) -> None:
    window.allow("422")
    account = stack.account("member")
    page.goto("/app/login")
    fill(page, account.who.label, "not the password")
    expect(page.get_by_role("alert").first).to_contain_text("The username or the password is wrong.")
    expect(page.get_by_label("Username")).to_have_value(account.who.label)


def test_the_admin_is_for_staff(stack: Stack, window: Window, page: Page, account: Account) -> None:
    window.allow("403")
    page.goto("/admin/")
    expect(page.get_by_role("heading", name="Forbidden")).to_be_visible()
    expect(page.get_by_text("Request ")).to_be_visible()


def test_choosing_another_tenant(stack: Stack, page: Page, staff: Account) -> None:
    other = stack.account("admin")
    page.goto("/app/")
    page.get_by_role("combobox", name="Tenant").select_option(other.slug)
    page.get_by_role("button", name="Switch").click()
    expect(page.get_by_role("heading", name=other.who.tenant.name)).to_be_visible()
