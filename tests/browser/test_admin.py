"""The admin: counts that stay true, verbs behind its forms, errors at the field."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Page, expect

from tests.stack import Account, Stack

LIST = re.compile(r"/admin/[a-z_]+/[a-z_]+/")


def test_the_start_page_renews_its_counts(stack: Stack, page: Page, staff: Account) -> None:
    page.clock.install()
    page.goto("/admin/")
    tenants = page.get_by_role("link", name=re.compile(r"^Tenants \d+"))
    before = int(re.findall(r"\d+", tenants.inner_text())[0])
    stack.account("owner")
    page.clock.run_for(11_000)
    expect(tenants).to_contain_text(str(before + 1))


def test_a_list_of_every_model(page: Page, staff: Account) -> None:
    page.goto("/admin/")
    links = page.locator("a[href^='/admin/']").all()
    paths = {path for link in links if LIST.fullmatch(path := link.get_attribute("href") or "")}
    assert len(paths) > 20
    for path in sorted(paths):
        answer = page.request.get(path)
        assert answer.ok, (path, answer.status)
        assert page.request.get(f"{path}?q=x").ok, path


def test_a_tenant_is_made_by_the_verb(page: Page, staff: Account) -> None:
    page.goto("/admin/tenants/tenant/add/")
    page.get_by_role("textbox", name="Name").fill("Made in the admin")
    page.get_by_label("Slug").fill("made-in-the-admin")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    page.goto("/admin/tenants/auditentry/?q=tenants.tenant.create")
    expect(page.get_by_role("row").filter(has_text="made-in-the-admin")).to_be_visible()


def test_a_refusal_stands_in_the_form(stack: Stack, page: Page, staff: Account) -> None:
    taken = stack.account("owner")
    page.goto("/admin/tenants/tenant/add/")
    page.get_by_role("textbox", name="Name").fill("Again")
    page.get_by_label("Slug").fill(taken.slug)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text(re.compile("Taken|already exists"))).to_be_visible()


def test_keys_are_revoked_and_no_secret_is_shown(stack: Stack, page: Page, staff: Account) -> None:
    victim = stack.account("owner")
    page.goto(f"/admin/storage/accesskey/?q={victim.key_id}")
    row = page.get_by_role("row").filter(has_text=victim.key_id)
    row.get_by_role("link").first.click()
    assert victim.secret not in page.content()
    assert "sealed" not in page.content().lower()
    page.go_back()
    page.get_by_role("checkbox", name="Select record").first.check()
    page.locator("select[name=action]").select_option("revoke")
    page.locator("button[name=index]").first.click()
    expect(page.get_by_text("1 revoked.")).to_be_visible()
    expect(row).to_contain_text("revoked")


def test_what_is_kept_as_json_is_laid_out(stack: Stack, page: Page, staff: Account) -> None:
    """The window tells where a style breaks the policy."""
    owner = stack.account("owner")
    owner.bucket("laid-out")
    s3 = owner.s3()
    s3.put_object(Bucket="laid-out", Key="noted", Body=b"x", Metadata={"team": "payments"})
    allowed = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::laid-out/*",
    }
    s3.put_bucket_policy(
        Bucket="laid-out", Policy=json.dumps({"Version": "2012-10-17", "Statement": allowed})
    )
    for model, name, told in (
        ("object", "noted", '"team": "payments"'),
        ("bucket", "laid-out", "s3:GetObject"),
    ):
        page.goto(f"/admin/storage/{model}/?q={name}")
        page.get_by_role("row").filter(has_text=name).get_by_role("link").first.click()
        expect(page.locator("pre.json").filter(has_text=told)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_dark(page: Page, staff: Account) -> None:
    page.goto("/app/")
    page.evaluate("localStorage.setItem('adminTheme', JSON.stringify('dark'))")
    page.goto("/admin/")
    expect(page.locator("html")).to_have_class(re.compile("dark"))
