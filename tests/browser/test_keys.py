"""Keys: shown once, of use at once, useless once revoked."""

from __future__ import annotations

import boto3
from botocore.config import Config
from playwright.sync_api import Page, expect

from storage.s3.tests.accessors import eventually, outcome
from tests.stack import Account, Stack

from .conftest import copied


def test_an_access_key_is_shown_once(stack: Stack, page: Page, account: Account) -> None:
    page.goto("/app/access-keys")
    page.get_by_role("link", name="New access key").first.click()
    page.get_by_label("Name", exact=True).fill("laptop")
    page.get_by_role("button", name="Create key").click()
    dialog = page.get_by_role("dialog", name="Your new access key")
    key_id, secret = dialog.locator("#key-id").inner_text(), dialog.locator("#key-secret").inner_text()
    dialog.get_by_role("button", name="Copy the secret").click()
    assert copied(page, secret) == secret
    expect(dialog.get_by_role("tabpanel", name="AWS CLI")).to_contain_text(f"{stack.url}/s3")
    dialog.get_by_role("tab", name="AWS CLI").focus()
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("tabpanel", name="boto3")).to_contain_text(secret)
    dialog.get_by_role("tab", name="rclone").click()
    expect(dialog.get_by_role("tabpanel", name="rclone")).to_contain_text(key_id)
    s3 = boto3.client(
        "s3",
        endpoint_url=f"{stack.url}/s3",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )
    assert s3.list_buckets()["Buckets"] == []

    dialog.get_by_role("button", name="I have kept it").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#key-secret")).to_have_count(0)
    page.reload()
    assert secret not in page.content()

    page.get_by_role("button", name="Revoke laptop").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row").filter(has_text="laptop")).to_contain_text("Revoked")
    eventually(lambda: outcome(s3.list_buckets) == "InvalidAccessKeyId")


def test_an_api_key_with_chosen_permissions(page: Page, account: Account) -> None:
    page.goto("/app/api-keys")
    page.get_by_role("link", name="New API key").first.click()
    page.get_by_label("Name", exact=True).fill("agent")
    page.get_by_label("Only these:").check()
    page.get_by_label("storage.bucket.read").check()
    page.get_by_role("button", name="Create key").click()
    dialog = page.get_by_role("dialog", name="Your new API key")
    text = dialog.locator("#api-key").inner_text()
    headers = {"Authorization": f"Bearer {text}"}
    assert page.request.get("/api/v1/storage/buckets", headers=headers).ok
    assert page.request.get("/api/v1/audit", headers=headers).status == 403
    dialog.get_by_role("button", name="I have kept it").click()
    page.reload()
    assert text not in page.content()
    page.get_by_role("button", name="Revoke agent").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row").filter(has_text="agent")).to_contain_text("Revoked")
    assert page.request.get("/api/v1/storage/buckets", headers=headers).status == 401
