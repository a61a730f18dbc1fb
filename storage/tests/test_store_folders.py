"""Folders on several disks: new blobs go where room is, and a folder that is not the one it was is not used."""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from storage.errors import BlobMissing, StoreFull, StoreUnavailable
from storage.store import BlobInfo, BlobStore, files, path_of
from storage.store.folders import MARKER, Folder


@pytest.fixture
def disks(tmp_path: Path) -> dict[str, Path]:
    made = {name: tmp_path / name for name in ("disk2", "disk3")}
    for path in made.values():
        path.mkdir()
    return made


def opened(tmp_path: Path, disks: dict[str, Path]) -> BlobStore:
    store = BlobStore(tmp_path / "blobs", disks)
    store.prepare()
    return store


def folder(store: BlobStore, name: str) -> Folder:
    return next(each for each in store.folders.all() if each.name == name)


def share(store: BlobStore, **rooms: int) -> None:
    """Room is in these folders alone, until the next look; `own` is the home's."""
    for each in store.folders.all():
        each.free = rooms.get(each.name or "own", 0)


async def written(store: BlobStore, body: bytes) -> BlobInfo:
    async with store.writer() as writer:
        await writer.write(body)
        return await writer.finish()


async def read(store: BlobStore, blob_id: str | None) -> bytes:
    return b"".join([each async for each in store.read(blob_id or "")])


async def test_blobs_go_where_room_is_and_come_back(tmp_path: Path, disks: dict[str, Path]) -> None:
    store = opened(tmp_path, disks)
    share(store, own=1 << 30, disk2=3 << 30)
    counts: Counter[str] = Counter()
    for n in range(100):
        info = await written(store, b"%d" % n)
        assert info.id
        counts[info.id[:-32]] += 1
        assert await read(store, info.id) == b"%d" % n
        assert (store.root / path_of(info.id)).read_bytes() == b"%d" % n  # as the edge finds it
    assert set(counts) == {"", "disk2-"}
    assert counts["disk2-"] > counts[""] > 5


async def test_a_folder_that_fails_is_passed_over(
    tmp_path: Path, disks: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path, disks)
    publish = files.publish

    def broken(fd: int, temporary: Path, target: Path) -> Any:
        if "disk2" in str(target):
            raise OSError(errno.EIO, "Input/output error")
        return publish(fd, temporary, target)

    monkeypatch.setattr(files, "publish", broken)
    share(store, disk2=1)
    with pytest.raises(StoreUnavailable):
        await written(store, b"lost")
    share(store, disk2=1 << 40, own=1)
    for _ in range(20):
        assert "disk2" not in ((await written(store, b"x")).id or "")


async def test_a_full_folder_is_passed_over(
    tmp_path: Path, disks: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path, disks)
    share(store, disk2=2, disk3=1)
    with monkeypatch.context() as patched:
        patched.setattr(store.folders, "reserve", 1 << 62)
        for _ in range(2):
            with pytest.raises(StoreFull):
                await written(store, b"lost")
    assert [each.free for each in store.folders.seen()] == [0, 0, 0]
    share(store, disk3=1)
    for _ in range(10):
        assert ((await written(store, b"x")).id or "").startswith("disk3-")


async def test_a_disk_that_is_gone_is_told_and_not_made_anew(tmp_path: Path, disks: dict[str, Path]) -> None:
    store = opened(tmp_path, disks)
    share(store, disk2=1)
    info = await written(store, b"there")
    away = tmp_path / "away"
    disks["disk2"].rename(away)
    disks["disk2"].mkdir()  # an empty mount point
    again = opened(tmp_path, disks)
    assert list(disks["disk2"].iterdir()) == []
    assert "is its disk mounted?" in folder(again, "disk2").problem
    with pytest.raises(BlobMissing):
        await read(again, info.id)
    for _ in range(10):
        assert "disk2" not in ((await written(again, b"x")).id or "")
    assert not any("disk2" in blob for batch in again.old_blobs(-1) for blob in batch)
    disks["disk2"].rmdir()
    away.rename(disks["disk2"])
    assert folder(again, "disk2").problem == ""
    assert await read(again, info.id) == b"there"


async def test_a_disk_that_goes_while_we_run_loses_no_new_body(
    tmp_path: Path, disks: dict[str, Path]
) -> None:
    store = opened(tmp_path, disks)
    share(store, disk2=1 << 40, own=1)
    disks["disk2"].rename(tmp_path / "away")
    for n in range(5):
        assert await read(store, (await written(store, b"%d" % n)).id) == b"%d" % n


async def test_room_for_what_is_announced(tmp_path: Path, disks: dict[str, Path]) -> None:
    store = opened(tmp_path, disks)
    share(store, disk2=1 << 20, disk3=1 << 30)
    for _ in range(10):
        async with store.writer(expected=2 << 20) as writer:
            assert ((await writer.finish()).id or "").startswith("disk3-")
    with pytest.raises(StoreFull):
        store.writer(expected=2 << 30)
    alone = BlobStore(tmp_path / "alone")
    alone.prepare()
    with pytest.raises(StoreFull):
        alone.writer(expected=1 << 60)
    assert store.writer(expected=4096, inline_limit=8192)


async def test_a_disk_may_move(tmp_path: Path, disks: dict[str, Path]) -> None:
    store = opened(tmp_path, disks)
    share(store, disk2=1)
    info = await written(store, b"moved")
    disks["disk2"] = disks["disk2"].rename(tmp_path / "elsewhere")
    assert await read(opened(tmp_path, disks), info.id) == b"moved"


async def test_a_folder_that_is_no_longer_named_is_read_and_takes_nothing(
    tmp_path: Path, disks: dict[str, Path]
) -> None:
    store = opened(tmp_path, disks)
    share(store, disk2=1)
    info = await written(store, b"kept")
    fewer = opened(tmp_path, {"disk3": disks["disk3"]})
    share(fewer, disk2=1 << 60)
    assert await read(fewer, info.id) == b"kept"
    for _ in range(10):
        assert "disk2" not in ((await written(fewer, b"x")).id or "")
    assert [info.id] in list(fewer.old_blobs(-1))


@pytest.mark.parametrize("what", ["missing", "in use", "another store's", "another name's"])
def test_what_cannot_become_a_folder(tmp_path: Path, disks: dict[str, Path], what: str) -> None:
    if what == "missing":
        disks["disk2"].rmdir()
    elif what == "in use":
        (disks["disk2"] / "a file").touch()
    elif what == "another store's":
        BlobStore(tmp_path / "other", {"disk2": disks["disk2"]}).prepare()
    else:
        opened(tmp_path, {"disk9": disks["disk2"]})
    before = sorted(disks["disk2"].iterdir()) if disks["disk2"].exists() else None
    store = opened(tmp_path, disks)
    assert folder(store, "disk2").problem
    assert not folder(store, "disk3").problem
    assert (sorted(disks["disk2"].iterdir()) if disks["disk2"].exists() else None) == before


async def test_parts_on_several_disks_are_joined_and_swept(tmp_path: Path, disks: dict[str, Path]) -> None:
    store = opened(tmp_path, disks)
    parts = []
    for name in ("", "disk2", "disk3"):
        share(store, **{name or "own": 1})
        parts.append((await written(store, name.encode() * 1000)).id or "")
    assert len({part[:-32] for part in parts}) == 3
    whole = await store.join(parts)
    assert await read(store, whole.id) == b"disk2" * 1000 + b"disk3" * 1000
    then = time.time() - 100
    for path in (store.root / path_of(part) for part in parts):
        os.utime(path, (then, then))
    assert sorted(blob for batch in store.old_blobs(50) for blob in batch) == sorted(parts)
    store.remove(parts)
    assert [path.name for path in disks["disk2"].rglob("*") if path.is_file()] == [MARKER]


@pytest.mark.parametrize("name", ["ab", "tmp", "Disk", "disk-2", "2disk", "morethan7", ""])
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no name of a folder"):
        BlobStore(tmp_path, {name: tmp_path})


def test_paths_are_absolute(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="absolute"):
        BlobStore(tmp_path, {"disk2": Path("disk2")})
