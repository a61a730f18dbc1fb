"""The verification of the store: what is damaged, missing or nobody's is told, and nothing is changed."""

from __future__ import annotations

import os
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.core.management import CommandError, call_command
from django.utils import timezone

from gateway import crypto
from gateway.db.scope import platform_scope
from realtime.models import Event
from storage.models import Bucket, Object, ObjectVersion, Upload, UploadPart
from storage.services import proofs, sweeps, verify
from storage.store import BlobInfo, BlobStore, Layout, multipart_etag, path_of
from tests import factories

pytestmark = pytest.mark.django_db

KEY = bytes(range(32))


@pytest.fixture
def blobs(tmp_path: Path, settings: Any) -> BlobStore:
    settings.STORAGE_ROOT = tmp_path / "blobs"
    store = BlobStore(settings.STORAGE_ROOT)
    store.prepare()
    return store


@pytest.fixture
def bucket() -> Bucket:
    tenant = factories.tenant(slug="acme")
    with platform_scope("tests"):
        return Bucket.objects.create(tenant=tenant, name="docs")


def written(store: BlobStore, body: bytes, **options: Any) -> BlobInfo:
    async def write() -> BlobInfo:
        async with store.writer(["crc64nvme", "sha256"], **options) as writer:
            await writer.write(body)
            return await writer.finish()

    return async_to_sync(write)()


def sse_of(bucket: Bucket, info: BlobInfo) -> dict[str, Any]:
    sealed = crypto.seal(KEY, b"storage.object:%d" % bucket.tenant_id)
    assert info.layout
    return {"mode": "AES256", "key": b64encode(sealed).decode(), **info.layout.as_json()}


def row(bucket: Bucket, key: str, info: BlobInfo, model: Any = Object, **fields: Any) -> Any:
    values = {
        "size": info.size, "etag": info.md5, "checksums": info.checksums, "blob": info.id, "inline": info.inline,
        "content_type": "t", "last_modified": timezone.now(), "writer": "w",
    }  # fmt: skip
    with platform_scope("tests"):
        return model.objects.create(tenant=bucket.tenant, bucket=bucket, key=key, **values | fields)


def flip(store: BlobStore, info: BlobInfo, at: int = 5) -> None:
    path = store.root / path_of(info.id or "")
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def found(**options: Any) -> list[tuple[str, str]]:
    told: list[verify.Finding] = []
    verify.verify(told=told.append, **options)
    return [(each.kind, each.where) for each in told]


def test_a_store_in_order_of_every_kind(blobs: BlobStore, bucket: Bucket) -> None:
    row(bucket, "file", written(blobs, b"x" * 100_000))
    row(bucket, "empty", written(blobs, b""))
    row(bucket, "inline", written(blobs, b"small", inline_limit=100))
    sealed = written(blobs, os.urandom(200_000), sealing=KEY)
    row(bucket, "sealed", sealed, sse=sse_of(bucket, sealed))
    small = written(blobs, b"secret", sealing=KEY, inline_limit=100)
    row(bucket, "sealed inline", small, sse=sse_of(bucket, small))
    customers = written(blobs, os.urandom(200_000), sealing=KEY)
    row(bucket, "customer's", customers, sse=sse_of(bucket, customers) | {"mode": "customer"}, etag="0" * 32)
    older = written(blobs, b"older" * 10_000)
    row(bucket, "file", older, ObjectVersion, version_id="v1")
    row(
        bucket, "gone", BlobInfo(0, "", timezone.now()), ObjectVersion, version_id="v2", is_delete_marker=True
    )
    parts = [written(blobs, os.urandom(n)) for n in (70_000, 3)]
    whole = async_to_sync(blobs.join)([part.id or "" for part in parts])
    row(
        bucket, "parts", whole, etag=multipart_etag(part.md5 for part in parts), checksums={},
        parts=[{"size": part.size} for part in parts],
    )  # fmt: skip
    for part in parts:
        blobs.remove([part.id or ""])
    before = {path: path.stat().st_mtime for path in blobs.root.rglob("*") if path.is_file()}
    run = verify.verify()
    assert (run.wrong, run.orphans, run.findings) == (0, 0, [])
    assert run.checked == 8
    assert run.ended
    assert {p: p.stat().st_mtime for p in before} == before
    assert not Event.objects.filter(type="storage.object.damaged").exists()


@pytest.mark.parametrize("kind", ["plain", "sealed", "customer", "version", "part"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_what_is_damaged_is_told(blobs: BlobStore, bucket: Bucket, kind: str, damage: str) -> None:
    info = written(blobs, os.urandom(150_000), sealing=KEY if kind in ("sealed", "customer") else None)
    where = "acme/docs/k"
    if kind == "part":
        with platform_scope("tests"):
            upload = Upload.objects.create(
                pk=uuid4(), tenant=bucket.tenant, bucket=bucket, key="k", content_type="", writer="w",
                initiated_at=timezone.now(),
            )  # fmt: skip
            UploadPart.objects.create(
                tenant=bucket.tenant, upload=upload, number=3, size=info.size, etag=info.md5, blob=info.id,
                last_modified=timezone.now(), checksums=info.checksums,
            )  # fmt: skip
        where += f" part 3 of upload {upload.pk}"
    elif kind == "version":
        row(bucket, "k", info, ObjectVersion, version_id="v1")
        where += " version v1"
    else:
        sse = None if kind == "plain" else sse_of(bucket, info)
        row(bucket, "k", info, sse=sse | {"mode": "customer"} if sse and kind == "customer" else sse)
    path = blobs.root / path_of(info.id or "")
    if damage == "flip":
        flip(blobs, info, 100_000)
    elif damage == "cut":
        os.truncate(path, path.stat().st_size - 1)
    else:
        path.unlink()
    assert found() == [("missing" if damage == "gone" else "corrupt", where)]
    with platform_scope("tests"):
        event = Event.objects.get(type="storage.object.damaged")
    assert (event.subject, event.data["problem"]) == ("docs/k", "missing" if damage == "gone" else "corrupt")


def test_a_row_that_says_something_else(blobs: BlobStore, bucket: Bucket) -> None:
    row(bucket, "etag", written(blobs, b"one" * 10_000), etag="0" * 32)
    info = written(blobs, b"two" * 10_000)
    row(bucket, "sum", info, checksums=info.checksums | {"sha256": b64encode(bytes(32)).decode()})
    row(bucket, "inline", written(blobs, b"small", inline_limit=9), inline=b"smell")
    row(bucket, "parts", written(blobs, b"four"), etag="0" * 32 + "-2", parts=[{"size": 1}, {"size": 3}])
    assert {where for _, where in found()} == {
        f"acme/docs/{key}" for key in ("etag", "sum", "inline", "parts")
    }


def test_a_file_of_nobody_is_told_and_left(blobs: BlobStore, bucket: Bucket) -> None:
    stray, fresh = written(blobs, b"stray"), written(blobs, b"fresh")
    then = time.time() - 2 * sweeps.STRAY_AGE
    os.utime(blobs.root / path_of(stray.id or ""), (then, then))
    run = verify.verify()
    assert [(each["kind"], each["blob"]) for each in run.findings] == [("orphan", stray.id)]
    assert (run.wrong, run.orphans) == (0, 1)
    assert all((blobs.root / path_of(info.id or "")).exists() for info in (stray, fresh))


def test_it_goes_on_where_it_stopped(
    blobs: BlobStore, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(5):
        row(bucket, str(n), written(blobs, b"x"))
    monkeypatch.setattr(verify, "_BATCH", 2)
    checked = []
    while not (run := verify.verify(verify.Pace(seconds=-1))).ended:
        checked.append(run.checked)
    assert checked == [1, 2, 3, 4, 5]
    assert run.checked == 5
    assert verify.verify().checked == 5  # the next pass
    verify.verify(verify.Pace(seconds=-1))
    assert verify.verify(restart=True).checked == 5


def test_what_is_replaced_while_it_is_read_is_not_damaged(
    blobs: BlobStore, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = written(blobs, b"old" * 10_000)
    kept = row(bucket, "k", info)
    flip(blobs, info)
    check: Callable[..., str] = proofs.check_file

    def replaced(*args: Any) -> str:
        with platform_scope("tests"):
            Object.objects.filter(pk=kept.pk).update(blob=None, inline=b"new", etag="n")
        return check(*args)

    monkeypatch.setattr(verify, "check_file", replaced)
    assert found() == []


def test_the_command(blobs: BlobStore, bucket: Bucket, capsys: pytest.CaptureFixture[str]) -> None:
    info = written(blobs, b"x" * 20_000)
    row(bucket, "k", info)
    call_command("verify_store")
    assert "1 bodies, 20000 bytes: 0 wrong, 0 orphans (all)" in capsys.readouterr().out
    flip(blobs, info)
    with pytest.raises(CommandError, match="1 bodies are missing or corrupt"):
        call_command("verify_store", "--rate", "1G", "--minutes", "5")
    assert f"corrupt acme/docs/k (blob {info.id}): MD5 " in capsys.readouterr().out
    with pytest.raises(CommandError, match="--rate='fast' is not a size"):
        call_command("verify_store", "--rate", "fast")


def test_by_itself_as_often_as_the_settings_say(blobs: BlobStore, bucket: Bucket, settings: Any) -> None:
    row(bucket, "k", written(blobs, b"x"))
    settings.STORAGE_VERIFY_RATE = 0
    verify.verify_by_and_by()
    assert not verify.Pass.load().began
    settings.STORAGE_VERIFY_RATE = 1 << 30
    verify.verify_by_and_by()
    first = verify.Pass.load()
    assert first.ended
    verify.verify_by_and_by()
    assert verify.Pass.load() == first
    first.ended = (timezone.now() - timedelta(days=settings.STORAGE_VERIFY_DAYS + 1)).isoformat()
    first.save()
    verify.verify_by_and_by()
    assert verify.Pass.load().began > first.began


def test_a_layout_that_lies_about_its_size(blobs: BlobStore, bucket: Bucket) -> None:
    info = written(blobs, b"x" * 10, sealing=KEY)
    row(bucket, "k", info, sse=sse_of(bucket, info), size=11)
    assert found() == [("corrupt", "acme/docs/k")]
    assert Layout.from_json(sse_of(bucket, info)).size == 10
