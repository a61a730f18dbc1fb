"""Settings, policy and versions of a bucket, by people."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Browser, Page, expect

from tests.stack import Account, Stack

from .conftest import Window, copied
from .test_every_page import fits, serious


def test_settings_are_changed_by_the_keyboard(page: Page, window: Window, account: Account) -> None:
    """What is wrong stands at its field with the rest as it was typed; what is right is kept."""
    window.allow("422")
    account.bucket("docs")
    page.goto("/app/buckets/docs/settings")
    versions = page.get_by_role("region", name="Versions")
    versions.get_by_role("radio", name="stays as a version").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Versions of docs: saved.")).to_be_visible()
    quota = page.get_by_role("region", name="Quota")
    quota.get_by_label("Size").fill("a lot")
    quota.get_by_label("Objects").fill("12")
    page.keyboard.press("Enter")
    expect(quota.get_by_text("Write a size such as")).to_be_visible()
    expect(quota.get_by_label("Objects")).to_have_value("12")
    quota.get_by_label("Size").fill("1.5 GiB")
    quota.get_by_role("button", name="Save").click()
    expect(quota.get_by_label("Size")).to_have_value("1536 MiB")
    rules = page.get_by_role("region", name="Lifecycle")
    rules.get_by_role("button", name="Add a rule").click()
    expect(rules.get_by_label("Name")).to_be_focused()
    rules.get_by_label("Keys that begin with").fill("logs/")
    rules.get_by_role("button", name="Add a rule").click()
    expect(rules.get_by_role("group", name="Rule 2")).to_be_visible()
    expect(rules.get_by_label("Keys that begin with").first).to_have_value("logs/")
    rules.get_by_role("button", name="Remove rule 2").click()
    expect(rules.get_by_role("group", name="Rule 2")).to_have_count(0)
    rules.get_by_role("button", name="Save").click()
    expect(rules.get_by_text("At least one action needs to be specified")).to_be_visible()
    rules.get_by_label("Delete after days").fill("30")
    rules.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Lifecycle of docs: saved.")).to_be_visible()
    assert account.s3().get_bucket_lifecycle_configuration(Bucket="docs")["Rules"][0]["Expiration"] == {
        "Days": 30
    }
    assert not serious(page)


def test_a_policy_is_tried_before_it_counts(page: Page, window: Window, account: Account) -> None:
    window.allow("422")
    account.bucket("docs")
    page.goto("/app/buckets/docs/policy")
    editor = page.get_by_role("textbox", name="Policy")
    page.get_by_role("button", name="Add the statement").click()
    expect(editor).to_have_value(re.compile("s3:GetObject"))
    ask = page.get_by_role("region", name="Who may do what")
    ask.get_by_label(re.compile("^Key")).fill("a.txt")
    ask.get_by_role("button", name="Ask").click()
    expect(ask.get_by_text("Denied")).to_be_visible()
    ask.get_by_role("checkbox", name="By the policy as it stands in the editor").check()
    ask.get_by_role("button", name="Ask").click()
    expect(ask.get_by_text("Allowed", exact=True)).to_be_visible()
    right = editor.input_value()
    editor.fill(right.replace('"Allow"', '"Permit"'))
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".error", has_text="Statement[0]")).to_be_visible()
    expect(editor).to_have_value(re.compile("Permit"))
    editor.fill(right)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("This policy lets everybody in.")).to_be_visible()
    assert json.loads(account.s3().get_bucket_policy(Bucket="docs")["Policy"]) == json.loads(right)
    assert not serious(page)


def test_a_link_is_shared_with_a_stranger_and_revoked(
    page: Page, window: Window, account: Account, chromium: Browser
) -> None:
    window.allow("410")
    account.bucket("docs")
    account.s3().put_object(Bucket="docs", Key="a/ü b.txt", Body=b"shared\n")
    page.goto("/app/buckets/docs/object?key=a/%C3%BC%20b.txt")
    page.get_by_role("button", name="Make a link").click()
    page.get_by_role("button", name="Copy the link").click()
    link = copied(page, page.locator("#share-link").inner_text())
    stranger = chromium.new_context(viewport={"width": 360, "height": 740}).new_page()
    stranger.goto(link)
    expect(stranger.get_by_role("heading", name="ü b.txt")).to_be_visible()
    expect(stranger.get_by_text("7 bytes")).to_be_visible()
    assert fits(stranger)
    assert not serious(stranger)
    with stranger.expect_download() as download:
        stranger.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "ü b.txt"
    assert download.value.path().read_bytes() == b"shared\n"
    page.get_by_role("link", name="1 link to this object works").click()
    row = page.get_by_role("row").filter(has_text="docs/a/ü b.txt")
    expect(row.get_by_role("cell").nth(4)).to_contain_text("1")
    assert not serious(page)
    page.get_by_role("button", name="Revoke the link to a/ü b.txt").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_contain_text("Revoked")
    stranger.get_by_role("button", name="Download").click()
    expect(stranger.get_by_role("heading", name="This link has ended")).to_be_visible()
    assert fits(stranger)
    page.goto("/app/buckets/docs?prefix=a/")
    page.get_by_role("checkbox", name="Choose ü b.txt").check()
    page.get_by_role("button", name="Copy share links").click()
    expect(page.get_by_role("status").filter(has_text="1 link copied")).to_be_visible()
    stranger.goto(page.evaluate("navigator.clipboard.readText()"))
    expect(stranger.get_by_role("heading", name="ü b.txt")).to_be_visible()
    stranger.context.close()


def test_an_object_deleted_and_brought_back(page: Page, window: Window, account: Account) -> None:
    """Its versions are looked at, an older one is the current one again, tags are set."""
    window.allow("422")
    account.bucket("docs")
    s3 = account.s3()
    s3.put_bucket_versioning(Bucket="docs", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"first\n", b"second\n"):
        s3.put_object(Bucket="docs", Key="notes/a.txt", Body=body, ContentType="text/plain")
    page.goto("/app/buckets/docs?prefix=notes/")
    page.get_by_role("link", name="a.txt").click()
    expect(page.get_by_role("region", name="Preview of a.txt")).to_have_text("second\n")
    page.get_by_role("button", name=re.compile("Restore the version")).click()
    expect(page.get_by_role("region", name="Preview of a.txt")).to_have_text("first\n")
    assert s3.get_object(Bucket="docs", Key="notes/a.txt")["Body"].read() == b"first\n"
    page.get_by_role("textbox", name="Tags").fill("kind=note")
    page.get_by_role("button", name="Save tags").click()
    expect(page.get_by_role("status").filter(has_text="The tags are saved.")).to_be_visible()
    expect(page.get_by_role("button", name="Save tags")).to_be_focused()
    page.get_by_role("textbox", name="Tags").fill("no pair")
    page.get_by_role("button", name="Save tags").click()
    expect(page.get_by_role("textbox", name="Tags")).to_be_focused()
    assert s3.get_object_tagging(Bucket="docs", Key="notes/a.txt")["TagSet"] == [
        {"Key": "kind", "Value": "note"}
    ]
    page.get_by_role("radio", name="The bytes, shown where the browser can").check()
    page.get_by_role("button", name="Make a link").click()
    expect(page.get_by_text("A presigned URL works for 12 hours at most.")).to_be_visible()
    page.get_by_label("It works for").select_option("One hour")
    page.get_by_role("button", name="Make a link").click()
    page.get_by_role("button", name="Copy the link").click()
    presigned = copied(page, page.locator("#share-link").inner_text())
    assert page.context.request.get(presigned).text() == "first\n"
    page.get_by_role("button", name="Delete", exact=True).first.click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Nothing here")).to_be_visible()
    page.get_by_role("link", name="Show versions").click()
    page.get_by_role("row").filter(has_text="Delete marker").get_by_role("link").click()
    page.get_by_role("button", name="Undelete").click()
    expect(page.get_by_role("region", name="Preview of a.txt")).to_have_text("first\n")
    assert fits(page)
    assert not serious(page)


def test_in_a_dialog_the_field_to_be_mended_has_the_focus(
    window: Window, page: Page, account: Account
) -> None:
    window.allow("422")
    page.goto("/app/access-keys")
    page.get_by_role("link", name="New access key").first.click()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.get_by_label("Name", exact=True).fill("backup")
    page.get_by_text("What it is limited to").click()
    networks = page.get_by_label("Taken from these addresses only")
    networks.fill("nowhere")
    page.get_by_role("button", name="Create key").click()
    expect(networks).to_have_attribute("aria-invalid", "true")
    page.wait_for_timeout(100)  # HTMX has settled
    expect(networks).to_be_focused()


def test_a_key_is_limited(page: Page, stack: Stack, account: Account) -> None:
    account.bucket("docs")
    page.goto("/app/access-keys")
    page.get_by_role("link", name="New access key").first.click()
    page.get_by_label("Name", exact=True).fill("backup")
    page.get_by_text("What it is limited to").click()
    page.get_by_label("These buckets only").fill("docs")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_role("dialog", name="Your new access key")).to_be_visible()
    page.get_by_role("button", name="I have kept it").click()
    page.goto("/app/access-keys")
    row = page.get_by_role("row").filter(has_text="backup")
    expect(row).to_contain_text("1 bucket")
    row.get_by_role("link", name="backup").click()
    page.get_by_label("Keys that begin with").fill("daily/")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row").filter(has_text="backup")).to_contain_text("prefixes")
