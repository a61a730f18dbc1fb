"""The object browser: bytes in, bytes out, gone."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import FilePayload, Page, expect

from gateway.db.scope import platform_scope
from tenants.models import Quota
from tenants.principal import Principal
from tests.stack import Account, Stack

from .conftest import Window, copied


def choose(page: Page, *files: FilePayload | Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload files").click()
    chooser.value.set_files(list(files))  # type: ignore[arg-type]


def text_file(name: str, text: str) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": text.encode()}


def test_what_goes_in_comes_out(tmp_path: Path, page: Page, account: Account) -> None:
    account.bucket("docs")
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(24 << 20))
    page.goto("/app/buckets/docs")
    expect(page.get_by_role("heading", name="This bucket is empty")).to_be_visible()
    choose(page, big)
    expect(page.get_by_role("progressbar", name="Upload of big.bin")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="big.bin")
    expect(row).to_contain_text("24.0 MiB")
    with page.expect_download() as download:
        row.get_by_role("button", name="Download big.bin").click()
    assert download.value.suggested_filename == "big.bin"
    assert digest(download.value.path()) == digest(big)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_progress_is_seen_and_an_upload_can_be_cancelled(
    tmp_path: Path, page: Page, account: Account
) -> None:
    account.bucket("docs")
    big = tmp_path / "big.bin"
    big.write_bytes(bytes(64 << 20))
    page.goto("/app/buckets/docs")
    slowly = page.context.new_cdp_session(page)
    slowly.send("Network.enable")
    slowly.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 5, "downloadThroughput": -1, "uploadThroughput": 2 << 20},
    )
    choose(page, big)
    upload = page.get_by_role("list", name="Uploads").get_by_role("listitem")
    expect(upload).to_contain_text(re.compile(r"[1-9][0-9.]* MiB of 64.0 MiB"))
    assert upload.get_by_role("progressbar").evaluate("bar => bar.value > 1 && bar.value < 100")
    page.get_by_role("button", name="Cancel: big.bin").click()
    expect(upload).to_contain_text("Cancelled")
    expect(page.get_by_role("heading", name="This bucket is empty")).to_be_visible()


def test_several_at_once_and_an_old_one_is_not_lost_unasked(
    window: Window, page: Page, account: Account
) -> None:
    window.allow("412")
    account.bucket("docs")
    s3 = account.s3()
    for name in ("a.txt", "x.txt", "y.txt"):
        s3.put_object(Bucket="docs", Key=name, Body=b"old")
    page.goto("/app/buckets/docs")
    choose(page, text_file("a.txt", "new"), text_file("b.txt", "b"), text_file("ü & <b>.txt", "c"))
    expect(page.get_by_role("row").filter(has_text="b.txt")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="ü & <b>.txt")).to_be_visible()
    expect(page.get_by_text("There is an object of this name already.")).to_be_visible()
    assert s3.get_object(Bucket="docs", Key="a.txt")["Body"].read() == b"old"
    page.get_by_role("button", name="Replace it: a.txt").click()
    expect(page.get_by_role("status").filter(has_text="uploaded").first).to_be_visible()
    expect(page.get_by_text("There is an object of this name already.")).to_be_hidden()
    expect(page.locator(".upload[data-state=done]").filter(has_text="a.txt")).to_be_visible()
    assert s3.get_object(Bucket="docs", Key="a.txt")["Body"].read() == b"new"
    choose(page, *(text_file(name, "newer") for name in ("a.txt", "x.txt", "y.txt", "z.txt")))
    all_of_them = page.get_by_role("group", name="All uploads")
    expect(all_of_them).to_contain_text("3 not uploaded")
    all_of_them.get_by_role("button", name="Replace all").click()
    expect(all_of_them).not_to_contain_text("not uploaded")
    expect(page.get_by_role("status").filter(has_text="3 files are uploaded.")).to_be_visible()
    assert {s3.get_object(Bucket="docs", Key=f"{one}.txt")["Body"].read() for one in "axyz"} == {b"newer"}


def test_deleted_one_and_many(page: Page, account: Account) -> None:
    account.bucket("docs")
    s3 = account.s3()
    for name in ("a", "b", "c", "d"):
        s3.put_object(Bucket="docs", Key=f"{name}.txt", Body=b"x")
    page.goto("/app/buckets/docs")
    page.get_by_role("button", name="Delete a.txt").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("checkbox", name="Choose a.txt")).to_have_count(0)
    expect(page.get_by_role("region", name="Objects of docs")).to_be_focused()
    page.get_by_role("checkbox", name="Choose b.txt").check()
    page.get_by_role("checkbox", name="Choose c.txt").check()
    expect(page.get_by_text("2 objects chosen")).to_be_visible()
    page.get_by_role("button", name="Delete chosen").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("checkbox", name="Choose c.txt")).to_have_count(0)
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="docs")["Contents"]] == ["d.txt"]


def test_folders_pages_and_details(page: Page, account: Account) -> None:
    account.bucket("docs")
    s3 = account.s3()
    for number in range(103):
        s3.put_object(Bucket="docs", Key=f"deep/er/{number:03}.txt", Body=b"x", Metadata={"n": str(number)})
    page.goto("/app/buckets/docs")
    page.get_by_role("link", name="deep/").click()
    page.get_by_role("link", name="er/", exact=True).click()
    expect(page.get_by_role("navigation", name="Folder")).to_contain_text("docs")
    expect(page.get_by_role("checkbox", name="Choose 0")).to_have_count(100)
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_role("checkbox", name="Choose 1")).to_have_count(3)
    page.get_by_role("link", name="102.txt").click()
    expect(page.get_by_role("region", name="Details")).to_contain_text("x-amz-meta-n")
    page.get_by_role("button", name="Copy the S3 URI").click()
    assert copied(page, "s3://") == "s3://docs/deep/er/102.txt"


def test_a_large_file_goes_up_in_parts_and_goes_on_where_it_failed(
    stack: Stack, tmp_path: Path, window: Window, page: Page, account: Account
) -> None:
    window.allow("403|409")
    account.bucket("docs")
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(1 << 20) * 65)
    with stack.database(), platform_scope("tests"):
        Quota.objects.filter(tenant=account.who.tenant).update(storage_bytes=50 << 20)
    page.goto("/app/buckets/docs")
    choose(page, big)
    upload = page.get_by_role("list", name="Uploads").get_by_role("listitem")
    expect(upload).to_contain_text("quota", timeout=30_000)
    with stack.database(), platform_scope("tests"):
        Quota.objects.filter(tenant=account.who.tenant).update(storage_bytes=None)
    parts: list[str] = []
    page.on("request", lambda request: parts.append(request.url) if request.method == "PUT" else None)
    page.get_by_role("button", name="Try again: big.bin").click()
    expect(page.get_by_role("row").filter(has_text="big.bin")).to_contain_text("65.0 MiB", timeout=30_000)
    assert 0 < len(parts) < 5
    s3 = account.s3()
    assert s3.head_object(Bucket="docs", Key="big.bin")["ETag"].endswith('-5"')
    assert hashlib.sha256(s3.get_object(Bucket="docs", Key="big.bin")["Body"].read()).hexdigest() == digest(
        big
    )
    choose(page, big)
    expect(upload.filter(has_text="There is an object of this name already.")).to_be_visible()


def test_a_folder_is_deleted_with_all_in_it(page: Page, account: Account) -> None:
    account.bucket("docs")
    s3 = account.s3()
    for key in ("a/1", "a/b/2", "c"):
        s3.put_object(Bucket="docs", Key=key, Body=b"x")
    page.goto("/app/buckets/docs")
    page.get_by_role("button", name="Delete everything in a/").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name="a/")).to_have_count(0)
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="docs")["Contents"]] == ["c"]


def test_somebody_elses_write_shows_without_reloading(page: Page, account: Account) -> None:
    account.bucket("docs")
    page.goto("/app/buckets/docs")
    expect(page.locator("[data-live]")).to_have_text("Live")
    account.s3().put_object(Bucket="docs", Key="from-elsewhere.txt", Body=b"x")
    expect(page.get_by_role("row").filter(has_text="from-elsewhere.txt")).to_be_visible()


def test_a_refusal_of_the_store_is_told(
    stack: Stack, window: Window, page: Page, account: Account, sign_in: Callable[[Principal], None]
) -> None:
    """Nor does a session that ended meanwhile lose what waits on the page."""
    window.allow("401|403")
    account.bucket("docs")
    with stack.database(), platform_scope("tests"):
        Quota.objects.filter(tenant=account.who.tenant).update(storage_bytes=10)
    page.goto("/app/buckets/docs")
    choose(page, text_file("too-much.txt", "more than ten bytes"))
    failed = page.locator(".upload[data-state=failed]")
    expect(failed).to_contain_text("(request ")
    expect(failed.get_by_role("button", name="Try again: too-much.txt")).to_be_visible()
    with stack.database(), platform_scope("tests"):
        Quota.objects.filter(tenant=account.who.tenant).update(storage_bytes=None)
    page.context.clear_cookies()
    failed.get_by_role("button", name="Try again: too-much.txt").click()
    expect(failed).to_contain_text("You are signed out.")
    sign_in(account.who)
    failed.get_by_role("button", name="Try again: too-much.txt").click()
    expect(page.get_by_role("row").filter(has_text="too-much.txt")).to_be_visible()


def test_all_of_a_page_are_chosen_on_a_narrow_screen(page: Page, account: Account) -> None:
    account.bucket("docs")
    for key in ("a.txt", "b.txt"):
        account.s3().put_object(Bucket="docs", Key=key, Body=b"x")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/app/buckets/docs")
    page.get_by_role("checkbox", name="Choose all objects on this page").check()
    page.get_by_role("button", name="Delete chosen").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="This bucket is empty")).to_be_visible()
