"""A backend's page follows what becomes of its connection, and says it to whoever cannot see it."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from gateway.db.scope import platform_scope
from storage.models import Backend
from storage.services import connections
from tests.ports import free_port
from tests.stack import Account

NAME = "comes-and-goes"


def examined(account: Account, endpoint: str) -> None:
    """As the sweep tests it, at another address."""
    with account.stack.database(), platform_scope("tests"):
        Backend.objects.filter(name=NAME).update(endpoint=endpoint)
        connections.examine(Backend.objects.get(name=NAME))


def test_a_failing_backend_is_told_without_reloading(page: Page, account: Account, moto: str) -> None:
    with account.stack.database(), platform_scope("tests"):
        well = Backend.objects.get(name=moto).endpoint
    account.stack.remote_backend(NAME, well)
    examined(account, well)
    account.bucket("far", backend=NAME)
    page.goto("/app/backends")
    page.get_by_role("link", name=NAME).click()
    connection, told = page.get_by_role("region", name="Connection"), page.locator("#backend-told")
    expect(connection).to_contain_text("Works")
    expect(told).to_have_role("status")
    expect(told).to_have_text("")
    expect(page.locator("[data-live]")).to_have_text("Live")
    examined(account, f"http://127.0.0.1:{free_port()}")
    expect(connection).to_contain_text("Failing since", timeout=20_000)
    expect(told).to_have_text(re.compile(rf"{NAME}\s+fails: .*nothing listens there"))
    examined(account, well)
    expect(connection).to_contain_text("Works", timeout=20_000)
    expect(connection).not_to_contain_text("Failing since")
    expect(told).to_have_text(f"{NAME} works.")
