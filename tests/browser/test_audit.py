"""The audit log in the browser: found, exported, verified."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Page, expect

from gateway.db.scope import tenant_scope
from tenants.models import AuditEntry
from tenants.services import audit
from tenants.services.audit import sealing
from tests.stack import Account, Stack


def test_an_administrator_filters_exports_and_verifies(stack: Stack, page: Page, account: Account) -> None:
    with stack.database():
        with tenant_scope(account.who.tenant.pk):
            for number in range(3):
                after = {"backend": f"backend {number}"}
                audit.record(account.who, "storage.bucket.create", target=f"docs-{number}", after=after)
        sealing.seal_tenant(account.who.tenant)
    page.goto("/app/audit")
    log = page.get_by_role("region", name="Audit log")
    expect(log.get_by_role("row")).not_to_have_count(2)
    page.get_by_label("Find").fill("Backend 1")
    expect(log.get_by_role("row")).to_have_count(2)
    expect(log).to_contain_text("docs-1")
    with page.expect_download() as sent:
        log.get_by_role("link", name="JSON lines").click()
    rows = [json.loads(line) for line in Path(sent.value.path()).read_text().splitlines()]
    exported = [row["action"] for row in rows if row["type"] == "entry"]
    assert exported == ["storage.bucket.create", "tenants.audit.export"]  # which names the words searched for

    log.get_by_role("link", name="storage.bucket.create").click()
    expect(page.get_by_role("dialog", name="storage.bucket.create")).to_contain_text("backend 1")
    page.keyboard.press("Escape")

    seals = page.get_by_role("region", name="Seals")
    expect(seals).to_contain_text("number 1")
    seals.get_by_role("button", name="Verify now").click()
    expect(seals.get_by_role("status")).to_contain_text("The log is sound")


def test_staff_read_an_entry_and_verify_a_chain(stack: Stack, page: Page, staff: Account) -> None:
    with stack.database():
        with tenant_scope(staff.who.tenant.pk):
            audit.record(staff.who, "storage.bucket.create", target="docs", after={"backend": "b1"})
            entry = AuditEntry.objects.latest("pk")
        sealing.seal_tenant(staff.who.tenant)
    page.goto(f"/admin/tenants/auditentry/{entry.pk}/change/")
    expect(page.get_by_text('"backend": "b1"')).to_be_visible()
    page.goto("/admin/tenants/auditseal/")
    page.locator("input[name=_selected_action]").first.check()
    page.locator("select[name=action]").first.select_option("verify")
    page.get_by_role("button", name="Run").first.click()
    expect(page.get_by_text(f"{staff.who.tenant.slug}: sound")).to_be_visible()
