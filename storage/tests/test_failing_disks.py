"""Disks of the store that are read-only or fail: what lies on others is swept all the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from gateway.db.scope import platform_scope
from realtime.models import Event
from storage.models import BlobGarbage, Bucket
from storage.services import purge, sweeps, verify
from storage.store import BlobStore, new_id, path_of
from tests import factories

from .test_sweeps import blob, blobs, bucket, row, there

__all__ = ["blobs", "bucket"]

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["read-only", "broken"])
def stuck(request: pytest.FixtureRequest, blobs: BlobStore, settings: Any, tmp_path: Path) -> Iterator[str]:
    """A blob in a further folder, which neither lists nor removes it any more."""
    disk = tmp_path / "disk2"
    disk.mkdir()
    is_mounted = request.param == "read-only"
    if is_mounted and os.system(f"mount -t tmpfs -o size=4m tmpfs {disk} 2>/dev/null") != 0:
        pytest.skip("may not mount")
    try:
        settings.STORAGE_FOLDERS = {"disk2": disk}
        store = BlobStore(blobs.root, settings.STORAGE_FOLDERS)
        store.prepare()
        name = f"disk2-{new_id()}"
        path = blobs.root / path_of(name)
        path.write_bytes(b"x")
        os.utime(path, (1, 1))
        if is_mounted:
            os.system(f"mount -o remount,ro {disk}")
        else:
            path.unlink()
            path.parent.rmdir()
            path.parent.touch()
        yield name
    finally:
        if is_mounted:
            os.system(f"umount {disk}")


def test_a_disk_that_lets_go_of_nothing_holds_up_no_other(
    blobs: BlobStore, bucket: Bucket, stuck: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "BATCH", 1)
    stray, fine = blob(blobs, 2 * sweeps.STRAY_AGE), blob(blobs)
    with platform_scope("tests"):
        for age, blob_id in ((9, stuck), (1, fine)):
            due = timezone.now() - timedelta(seconds=age)
            BlobGarbage.objects.create(tenant=bucket.tenant, blob=blob_id, due_at=due)
    assert sweeps.remove_garbage() == 1
    assert sweeps.remove_strays() == 1
    assert not {stray, fine} & there(blobs)
    with platform_scope("tests"):
        [row] = BlobGarbage.objects.all()
    assert row.blob == stuck
    assert timedelta(0) < row.due_at - timezone.now() <= sweeps.AGAIN


def test_a_purge_waits_for_such_a_disk(blobs: BlobStore, stuck: str) -> None:
    tenant = factories.tenant()
    with platform_scope("tests"):
        for blob_id in (stuck, blob(blobs)):
            BlobGarbage.objects.create(tenant=tenant, blob=blob_id, due_at=timezone.now())
    assert "a disk does not let go of" in purge.purge(tenant.pk)
    with platform_scope("tests"):
        assert [row.blob for row in BlobGarbage.objects.all()] == [stuck]


def test_what_lies_on_a_disk_that_is_away_is_not_told_as_damaged(
    blobs: BlobStore, bucket: Bucket, settings: Any, tmp_path: Path
) -> None:
    disk = tmp_path / "disk2"
    disk.mkdir()
    settings.STORAGE_FOLDERS = {"disk2": disk}
    BlobStore(blobs.root, settings.STORAGE_FOLDERS).prepare()
    row(bucket, "away", f"disk2-{new_id()}")

    def missing() -> list[tuple[str, str]]:
        run = verify.verify(restart=True)
        assert run.wrong == 1
        return [(found["kind"], found["detail"]) for found in run.findings]

    disk.rename(tmp_path / "away")
    assert missing() == [("missing", "the disk that it lies on is not there")]
    with platform_scope("tests"):
        assert not Event.objects.filter(type="storage.object.damaged").exists()
    (tmp_path / "away").rename(disk)
    assert missing() == [("missing", "its file is not there")]
    with platform_scope("tests"):
        assert Event.objects.filter(type="storage.object.damaged").count() == 1


@pytest.mark.parametrize("stuck", ["read-only"], indirect=True)
def test_a_disk_that_is_read_only_is_told_once(
    blobs: BlobStore, stuck: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = BlobStore(blobs.root, {"disk2": blobs.root.parent / "disk2"})
    for _ in range(3):
        store.folders.look()
    told = [record.getMessage() for record in caplog.records if "disk2" in record.getMessage()]
    assert told == ["storage folder disk2: its file system is read-only"]
