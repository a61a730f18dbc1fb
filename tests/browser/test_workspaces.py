"""Workspaces in the browser: made, started, looked into, stopped and brought back, on real sandboxes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from gateway.db.scope import platform_scope, tenant_scope
from tenants.models import Quota
from tenants.principal import Principal
from tests import factories
from tests.stack import Account, Stack
from workspaces.models import Workspace
from workspaces.providers import registry
from workspaces.services import reconciler, templates
from workspaces.services import workspaces as verbs
from workspaces.tests.process.conftest import Runner, running

from .conftest import Window, copied
from .test_every_page import serious


@pytest.fixture(scope="session")
def runner(stack: Stack) -> Iterator[Runner]:
    """Sandboxes for the stack: its processes find the runner where an instance has its own."""
    with running() as started:
        (stack.home / "run" / "runner.sock").symlink_to(started.socket)
        yield started


class Workshop:
    """Workspaces of one tenant. What a worker would do is done here, when it is asked for."""

    def __init__(
        self, stack: Stack, account: Account, monkeypatch: pytest.MonkeyPatch, runner: Runner
    ) -> None:
        self.stack, self.account = stack, account
        monkeypatch.setitem(registry.MADE, "process", runner.provider)
        monkeypatch.setattr(registry, "_found", {})
        with stack.database():
            templates.ensure_default_templates()

    def make(self, name: str, *, runs: bool = True, **fields: Any) -> Workspace:
        with self.stack.database(), tenant_scope(self.account.who.tenant.pk):
            made = verbs.create_workspace(name, actor=self.account.who, **fields)
        if runs:
            self.settle(name)
        return made

    def settle(self, name: str) -> None:
        """Bring a workspace to what its row wishes."""
        with self.stack.database():
            with platform_scope("tests"):
                row: Any = Workspace.objects.get(tenant=self.account.who.tenant, name=name)
            end = time.monotonic() + 60
            while row is not None and not row.is_settled:
                assert time.monotonic() < end, row.error
                row = reconciler.reconcile(row.key)

    def change(self, name: str, **fields: Any) -> None:
        """As something other than a verb would leave it."""
        with self.stack.database(), tenant_scope(self.account.who.tenant.pk):
            Workspace.objects.filter(name=name).update(**fields)


@pytest.fixture
def workshop(
    stack: Stack, account: Account, monkeypatch: pytest.MonkeyPatch, runner: Runner
) -> Iterator[Workshop]:
    made = Workshop(stack, account, monkeypatch, runner)
    yield made
    with stack.database(), platform_scope("tests"):
        keys = [row.key for row in Workspace.objects.filter(tenant=account.who.tenant)]
    for key in keys:
        runner.provider.remove(key, volumes=True)


def state(page: Page) -> Any:
    return page.locator("#state").get_by_role("status").first


def test_made_by_the_form_and_followed_live(page: Page, workshop: Workshop) -> None:
    page.goto("/app/workspaces")
    expect(page.get_by_role("heading", name="No workspaces yet")).to_be_visible()
    page.get_by_role("link", name="New workspace").first.click()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("by-hand")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="by-hand", level=1)).to_be_visible()
    expect(state(page)).to_contain_text("Starting")
    expect(page.locator("[data-live]")).to_have_text("Live")
    workshop.settle("by-hand")
    expect(state(page)).to_contain_text("Running")
    page.get_by_role("button", name="Stop").click()
    expect(state(page)).to_contain_text("Stopping")
    workshop.settle("by-hand")
    expect(state(page)).to_contain_text("Stopped")
    expect(page.get_by_role("list", name="What happened")).to_contain_text("Stopped")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="No workspaces yet")).to_be_visible()
    page.get_by_label("State").select_option("deleted")
    page.get_by_role("link", name="by-hand").click()
    page.get_by_role("button", name="Restore").click()
    expect(state(page)).to_contain_text("Stop")


def test_what_is_wrong_stands_at_its_field(
    page: Page, window: Window, stack: Stack, workshop: Workshop
) -> None:
    window.allow("422")
    tenant = workshop.account.who.tenant
    with stack.database(), platform_scope("tests"):
        Quota.objects.filter(tenant=tenant).update(instance_memory_bytes=512 << 20)
    page.goto("/app/workspaces/new")
    page.get_by_label("Name", exact=True).fill("Not A Name")
    page.get_by_label("URL to clone").fill("git@example.org:a/b.git")
    page.get_by_role("heading", name="Limits").click()
    expect(page.get_by_text("At most 512.0 MiB in this tenant.")).to_be_visible()
    page.get_by_role("heading", name="Environment and secrets").click()
    page.get_by_label("Secrets", exact=False).last.fill("NO EQUALS SIGN")
    page.get_by_role("button", name="Create workspace").click()
    secrets = page.get_by_label("Secrets", exact=False).last
    expect(secrets).to_have_attribute("aria-invalid", "true")
    secrets.fill("")
    page.get_by_role("button", name="Create workspace").click()
    expect(page.get_by_label("Name", exact=True)).to_have_attribute("aria-invalid", "true")


def test_why_it_does_not_run_is_told(page: Page, workshop: Workshop) -> None:
    workshop.make("unlucky", runs=False)
    workshop.change("unlucky", observed_state="failed", error="The disk is full.", repository_state="failed",
                    repository_error="https://example.org/a.git asks for a password.")  # fmt: skip
    page.goto("/app/workspaces?state=failed")
    page.get_by_role("link", name="unlucky").click()
    expect(page.get_by_text("The disk is full.")).to_be_visible()
    expect(page.get_by_text("asks for a password.")).to_be_visible()


def test_looked_into(page: Page, workshop: Workshop) -> None:
    """A terminal whose colours pass the policy, the file that it wrote, and the usage."""
    made = workshop.make("box")
    page.goto(f"/app/workspaces/{made.public_id}/terminal")
    expect(page.locator("[data-terminal-state]")).to_have_text("Connected")
    page.keyboard.type(r"printf 'hello \033[38;2;200;30;30mcoloured\033[0m\n' | tee note.txt; stty size")
    page.keyboard.press("Enter")
    rows = page.locator(".xterm-rows")
    expect(rows).to_contain_text(re.compile(r"\d{2} \d{2,3}"))
    coloured = page.locator(".xterm-rows span", has_text="coloured").last
    assert coloured.evaluate("e => getComputedStyle(e).color") != rows.evaluate(
        "e => getComputedStyle(e).color"
    )
    page.keyboard.press("F6")
    expect(page.get_by_label("For a screen reader")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator(".xterm-accessibility")).to_contain_text("hello")
    assert not serious(page)
    page.keyboard.press("Shift+Tab")
    page.keyboard.type("exit\n")
    expect(page.locator("[data-terminal-state]")).to_have_text("The shell has ended.")
    expect(page.get_by_role("button", name="Connect again")).to_be_visible()

    page.get_by_role("link", name="Files").click()
    page.get_by_role("link", name="note.txt").click()
    expect(page.locator("#file-text")).to_contain_text("hello")
    with page.expect_download() as caught:
        page.get_by_role("link", name="Download").click()
    assert Path(caught.value.path()).read_bytes().startswith(b"hello")


def test_logs_are_followed(page: Page, workshop: Workshop) -> None:
    made = workshop.make("wordy")
    page.goto(f"/app/workspaces/{made.public_id}/logs")
    expect(page.locator("[data-logs-state]")).to_have_text("Live")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("[data-logs-state]")).to_have_text("Paused")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("[data-logs-state]")).to_have_text("Live")


def test_shared_and_used_by_another(
    stack: Stack, page: Page, workshop: Workshop, sign_in: Callable[[Principal], None]
) -> None:
    made = workshop.make("ours", runs=False)
    with stack.database():
        other = factories.member(workshop.account.who.tenant, "member")
    page.goto(f"/app/workspaces/{made.public_id}")
    page.get_by_role("link", name="Share…").click()
    page.get_by_label("Member").select_option(label=other.label)
    page.get_by_role("dialog").get_by_role("button", name="Share").click()
    expect(page.get_by_role("button", name=f"No longer share with {other.label}")).to_be_visible()
    sign_in(other)
    page.goto("/app/workspaces?whose=shared")
    page.get_by_role("link", name="ours").click()
    expect(page.get_by_role("heading", name="ours", level=1)).to_be_visible()
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)


def test_connected(page: Page, workshop: Workshop) -> None:
    made = workshop.make("linked", runs=False)
    page.goto(f"/app/workspaces/{made.public_id}/connect")
    for client in ("VS Code", "Claude Code", "Claude Desktop", "Cursor"):
        page.get_by_role("tab", name=client).click()
        panel = page.get_by_role("tabpanel", name=client)
        expect(panel).to_contain_text("/ws/linked/mcp")
        panel.get_by_role("button", name=re.compile("^Copy")).first.click()
        copied(page, "/ws/linked/mcp")


def test_without_scripts(stack: Stack, workshop: Workshop, page: Page) -> None:
    """The forms are forms."""
    context = page.context.browser.new_context(  # type: ignore[union-attr]
        base_url=stack.url, java_script_enabled=False, storage_state=page.context.storage_state()
    )
    plain = context.new_page()
    plain.goto("/app/workspaces/new")
    plain.get_by_label("Name", exact=True).fill("plain")
    plain.get_by_role("button", name="Create workspace").click()
    expect(plain.locator("#state")).to_contain_text("Starting")
    plain.get_by_role("button", name="Stop").click()
    expect(plain.locator("#state")).to_contain_text("Stopp")
    context.close()
