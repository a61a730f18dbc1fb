"""A bucket whose objects lie on somebody's S3, by people: all that a bucket of our own store can."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from tests.stack import Account


def test_a_bucket_elsewhere(page: Page, account: Account, moto: str, chromium: Browser) -> None:
    account.bucket("far", backend=moto)
    s3 = account.s3()
    s3.put_bucket_versioning(Bucket="far", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"first\n", b"second\n"):
        s3.put_object(Bucket="far", Key="a.txt", Body=body, ContentType="text/plain", Metadata={"n": "1"})
    for name in ("b/1", "b/2", "b/3"):
        s3.put_object(Bucket="far", Key=name, Body=b"x")
    page.goto("/app/buckets/far/object?key=a.txt")
    preview = page.get_by_role("region", name="Preview of a.txt")
    expect(preview).to_have_text("second\n")
    expect(page.get_by_role("region", name="Details")).to_contain_text("x-amz-meta-n")
    page.get_by_role("button", name=re.compile("Restore the version")).click()
    expect(preview).to_have_text("first\n")
    page.get_by_role("textbox", name="Tags").fill("kind=note")
    page.get_by_role("button", name="Save tags").click()
    expect(page.get_by_role("status").filter(has_text="The tags are saved.")).to_be_visible()
    assert s3.get_object_tagging(Bucket="far", Key="a.txt")["TagSet"] == [{"Key": "kind", "Value": "note"}]
    page.get_by_role("button", name="Make a link").click()
    stranger = chromium.new_context().new_page()
    stranger.goto(page.locator("#share-link").inner_text())
    with stranger.expect_download() as download:
        stranger.get_by_role("button", name="Download").click()
    assert download.value.path().read_bytes() == b"first\n"
    stranger.context.close()
    page.goto("/app/buckets/far?prefix=b/")
    page.get_by_role("checkbox", name="Choose 1").check()
    page.get_by_role("button", name="Delete chosen").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status").filter(has_text="Deleted.")).to_be_visible()
    page.goto("/app/buckets/far")
    page.get_by_role("button", name="Delete everything in b/").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name="b/")).to_have_count(0)
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="far")["Contents"]] == ["a.txt"]
    page.goto("/app/buckets/far/settings")
    encryption = page.get_by_role("region", name="Encryption")
    encryption.get_by_role("radio", name="are always encrypted").check()
    encryption.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Encryption of far: saved.")).to_be_visible()
