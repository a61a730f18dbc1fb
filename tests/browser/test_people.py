"""Members, roles, invitations and forgotten passwords, as people meet them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.core import mail as django_mail
from playwright.sync_api import Browser, Page, expect

from gateway.db.scope import tenant_scope
from tenants.services import invitations, mail, passwords, roles
from tenants.tests.post import token_in
from tests import factories
from tests.stack import Account, Stack

from .conftest import Window
from .test_every_page import fits, serious

SHOTS = os.environ.get("SCREENSHOTS")
NEXT = "Vw4!mountain-Lamp-quiet"


def shoot(page: Page, name: str) -> None:
    """For whoever wants to look: SCREENSHOTS names a folder."""
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


def sent(stack: Stack) -> django_mail.EmailMessage:
    """The letter sent last."""
    with stack.database():
        mail.sweep()
    letters: list[django_mail.EmailMessage] = getattr(django_mail, "outbox", [])
    return letters[-1]


def test_somebody_is_invited_and_joins(stack: Stack, chromium: Browser, page: Page, account: Account) -> None:
    django_mail.outbox = []
    page.goto("/app/members")
    page.get_by_role("link", name="Invite").first.click()
    dialog = page.get_by_role("dialog", name="Invite")
    dialog.get_by_label("E-mail").fill("ann@example.org")
    dialog.get_by_label("Name").fill("Ann")
    dialog.get_by_label("Role").select_option("viewer")
    shoot(page, "invite-dialog")
    assert not serious(page)
    dialog.get_by_role("button", name="Send invitation").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Send again to ann@example.org")).to_be_visible()
    shoot(page, "members")

    context = chromium.new_context(base_url=stack.url)
    outside = context.new_page()
    username = f"ann-{account.slug}"
    outside.goto(f"/app/invitations/{token_in(sent(stack))}")
    expect(outside.get_by_role("heading", name=f"Join {account.who.tenant.name}")).to_be_visible()
    expect(outside.get_by_label("Your name")).to_have_value("Ann")
    assert fits(outside) and not serious(outside)
    shoot(outside, "invitation")
    outside.get_by_label("Username").fill(username)
    outside.get_by_label("Password").fill(factories.PASSWORD)
    outside.get_by_label("The same again").fill(factories.PASSWORD)
    outside.get_by_role("button", name="Make the account and join").click()
    expect(outside).to_have_title("Sign in · Gatehouse")
    outside.get_by_label("Username").fill(username)
    outside.get_by_label("Password").fill(factories.PASSWORD)
    outside.get_by_role("button", name="Sign in").click()
    expect(outside.get_by_role("heading", name=account.who.tenant.name)).to_be_visible()
    context.close()
    page.reload()
    expect(page.get_by_role("link", name=f"Account of {username}")).to_be_visible()
    expect(page.get_by_text("None is pending.")).to_be_visible()


def test_a_link_that_is_over_says_so(stack: Stack, chromium: Browser, account: Account) -> None:
    django_mail.outbox = []
    with stack.database(), tenant_scope(account.who.tenant.pk):
        made = invitations.invite(account.who.tenant, "bob@example.org", actor=account.who)
    token = token_in(sent(stack))
    with stack.database(), tenant_scope(account.who.tenant.pk):
        invitations.revoke(made, actor=account.who)
    context = chromium.new_context(base_url=stack.url, viewport={"width": 360, "height": 740})
    outside = context.new_page()
    outside.goto(f"/app/invitations/{token}")
    expect(outside.get_by_text("This invitation was taken back.")).to_be_visible()
    assert fits(outside) and not serious(outside)
    shoot(outside, "invitation-over-narrow")
    context.close()


def test_a_member_is_found_and_changed(stack: Stack, page: Page, account: Account) -> None:
    other = stack.account("member", tenant=account.who.tenant)
    page.goto("/app/members")
    page.get_by_label("Find by name or address").fill(other.who.label)
    expect(page.locator("#members tbody tr")).to_have_count(1)
    page.get_by_label("Find by name or address").fill("nobody-at-all")
    expect(page.get_by_role("heading", name="No member matches")).to_be_visible()
    page.goto("/app/members")
    page.get_by_label("Role", exact=True).select_option("member")
    expect(page.locator("#members tbody tr")).to_have_count(1)
    page.get_by_role("link", name=f"Account of {other.who.label}").click()
    dialog = page.get_by_role("dialog", name=other.who.label)
    dialog.get_by_label("Name").fill("Somebody Else")
    shoot(page, "member-dialog")
    assert not serious(page)
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Somebody Else")).to_be_visible()
    page.get_by_role("button", name=f"Deactivate {other.who.label}").click()
    page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
    expect(page.get_by_role("button", name=f"Reactivate {other.who.label}")).to_be_visible()
    page.get_by_role("link", name=f"Account of {other.who.label}").click()
    dialog.get_by_role("button", name="Remove from the tenant").click()
    page.get_by_role("dialog", name="Remove").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("link", name=f"Account of {other.who.label}")).to_be_hidden()


@pytest.mark.parametrize("scripts", [True, False], ids=["with-scripts", "without"])
def test_a_role_is_made_changed_and_deleted(
    stack: Stack, chromium: Browser, page: Page, account: Account, scripts: bool
) -> None:
    context = chromium.new_context(
        base_url=stack.url, java_script_enabled=scripts, storage_state=page.context.storage_state()
    )
    window = context.new_page()
    window.goto("/app/roles")
    window.get_by_role("link", name="New role").click()
    window.get_by_label("Name", exact=True).fill("Auditor")
    window.get_by_label("audit.read").check()
    window.get_by_label("Extends").select_option("viewer")
    window.get_by_role("button", name="Create role").click()
    expect(window.get_by_role("heading", name="Roles", exact=True)).to_be_visible()
    window.get_by_role("link", name="Change Auditor").click()
    expect(window.get_by_label("audit.read")).to_be_checked()
    expect(window.get_by_label("storage.object.read inherited")).not_to_be_checked()
    shoot(window, f"role-{scripts}")
    window.get_by_label("audit.read").uncheck()
    window.get_by_label("Name", exact=True).fill("Looker")
    window.get_by_role("button", name="Save").click()
    expect(window.get_by_role("link", name="Change Looker")).to_be_visible()
    shoot(window, f"roles-{scripts}")
    window.get_by_role("button", name="Delete Looker").click()
    if scripts:
        window.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(window.get_by_role("link", name="Change Looker")).to_be_hidden()
    context.close()


def test_a_role_that_cannot_be_is_told_in_place(
    page: Page, window: Window, account: Account, stack: Stack
) -> None:
    window.allow("422")
    with stack.database():
        tenant = account.who.tenant
        first = roles.create_role(tenant, "First", permissions=[], actor=account.who)
        roles.create_role(tenant, "Second", permissions=[], extends="first", actor=account.who)
    page.goto(f"/app/roles/{first.public_id}")
    page.get_by_label("Extends").select_option("second")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("A cycle: first → second → first.")).to_be_visible()
    assert fits(page) and not serious(page)


def test_a_forgotten_password(stack: Stack, page: Page) -> None:
    django_mail.outbox = []
    account = stack.account("member")
    page.goto("/app/login")
    page.get_by_role("link", name="Forgotten your password?").click()
    page.get_by_label("Username or e-mail address").fill(account.who.label)
    assert fits(page) and not serious(page)
    shoot(page, "forgotten")
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text("a link is on its way")).to_be_visible()
    page.goto(f"/app/password-reset/{token_in(sent(stack))}")
    assert fits(page) and not serious(page)
    shoot(page, "new-password")
    page.get_by_label("Password", exact=True).fill(NEXT)
    page.get_by_label("The same again").fill(NEXT)
    page.get_by_role("button", name="Set the password").click()
    expect(page).to_have_title("Sign in · Gatehouse")
    page.get_by_label("Username").fill(account.who.label)
    page.get_by_label("Password").fill(NEXT)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name=account.who.tenant.name)).to_be_visible()


def test_members_come_from_a_file(page: Page, window: Window, account: Account, tmp_path: Path) -> None:
    window.allow("422")
    file = tmp_path / "users.csv"
    file.write_text(f"username,role\nnew-{account.slug},viewer\n")
    bad = tmp_path / "bad.csv"
    bad.write_text("username,role\nx y,viewer\nz,no-such\n")
    page.goto("/app/members")
    page.get_by_role("link", name="Import").click()
    page.get_by_label("CSV or JSON file").set_input_files(bad)
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_text("2 rows cannot be taken, so none was.")).to_be_visible()
    assert fits(page) and not serious(page)
    shoot(page, "import-refused")
    page.get_by_label("CSV or JSON file").set_input_files(file)
    page.get_by_role("button", name="Look first").click()
    expect(page.get_by_role("cell", name="created")).to_be_visible()
    page.get_by_label("CSV or JSON file").set_input_files(file)
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_text("The file is taken in.")).to_be_visible()


def test_a_link_for_a_password_cannot_be_used_twice(stack: Stack, window: Window, page: Page) -> None:
    window.allow("400")
    django_mail.outbox = []
    account = stack.account("member")
    with stack.database():
        passwords.request_link(account.who.label)
        token = token_in(sent(stack))
        passwords.confirm(token, NEXT, ip=None)
    page.goto(f"/app/password-reset/{token}")
    expect(page.get_by_text("Ask for a new one")).to_be_visible()
    assert fits(page) and not serious(page)
