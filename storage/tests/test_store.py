"""Blobs on disk: whole or not there, under any interruption."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import time
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from storage.errors import BlobMissing, BodyTooLarge, StoreFull, StoreUnavailable
from storage.store import ALGORITHMS, BlobInfo, BlobStore, Digests, files, multipart_etag, new_id, path_of
from storage.store.writer import BUFFER


def remains(store: BlobStore) -> list[Path]:
    """Every file below the root."""
    return [p for p in store.root.rglob("*") if p.is_file()]


async def written(store: BlobStore, body: bytes, chunk: int = 64 << 10, **options: Any) -> BlobInfo:
    async with store.writer(**options) as writer:
        for start in range(0, len(body), chunk):
            await writer.write(body[start : start + chunk])
        return await writer.finish()


@pytest.mark.parametrize("size", [0, 1, 8192, BUFFER - 1, BUFFER, BUFFER + 1, 3 * BUFFER + 12345])
@pytest.mark.parametrize("chunk", [1000, 64 << 10, 8 << 20])
async def test_a_body_comes_back_whole(store: BlobStore, size: int, chunk: int) -> None:
    body = os.urandom(size)
    info = await written(store, body, chunk)
    assert info.id is not None
    assert info.inline is None
    path = store.root / path_of(info.id)
    assert path.read_bytes() == body
    assert (info.size, info.md5) == (size, hashlib.md5(body).hexdigest())
    assert path.stat().st_mtime == info.modified.timestamp()
    assert remains(store) == [path]
    assert b"".join([part async for part in store.read(info.id)]) == body
    assert b"".join([part async for part in store.read(info.id, 3, 10)]) == body[3:13]


async def test_a_small_body_touches_no_disk(store: BlobStore) -> None:
    info = await written(store, b"x" * 8192, 1000, inline_limit=8192, algorithms=["crc32"])
    assert (info.id, info.inline, info.size) == (None, b"x" * 8192, 8192)
    assert info.checksums.keys() == {"crc32"}
    assert remains(store) == []
    larger = await written(store, b"x" * 8193, 1000, inline_limit=8192)
    assert larger.id is not None


# Of "123456789", as the catalogues of CRCs give them; the hashes by hashlib.
CHECK = {"crc32": "cbf43926", "crc32c": "e3069283", "crc64nvme": "ae8b14860a799888"}


async def test_digests_are_those_of_the_standards(store: BlobStore) -> None:
    body = b"123456789"
    info = await written(store, body, 2, algorithms=ALGORITHMS)
    assert info.checksums.keys() == ALGORITHMS
    for name, expected in CHECK.items():
        assert b64decode(info.checksums[name]).hex() == expected
    for name in ("sha1", "sha256"):
        assert info.checksums[name] == b64encode(hashlib.new(name, body).digest()).decode()
    with pytest.raises(ValueError, match="md4"):
        Digests(["md4"])


def test_the_etag_of_parts() -> None:
    # 5 MiB of "a" and one "b", as AWS answers.
    parts = [hashlib.md5(b"a" * (5 << 20)).hexdigest(), hashlib.md5(b"b").hexdigest()]
    expected = hashlib.md5(bytes.fromhex(parts[0]) + bytes.fromhex(parts[1])).hexdigest() + "-2"
    assert multipart_etag(parts) == expected


async def test_what_is_aborted_or_fails_leaves_nothing(store: BlobStore) -> None:
    writer = store.writer()
    for _ in range(40):
        await writer.write(b"x" * (64 << 10))
    await writer.abort()
    await writer.abort()
    with pytest.raises(RuntimeError, match="the client went away"):
        async with store.writer() as other:
            await other.write(b"x" * (2 * BUFFER))
            raise RuntimeError("the client went away")
    assert remains(store) == []


async def test_a_cancelled_request_leaves_nothing(store: BlobStore) -> None:
    began = asyncio.Event()

    async def upload() -> None:
        async with store.writer() as writer:
            while True:
                await writer.write(b"x" * BUFFER)
                began.set()

    task = asyncio.create_task(upload())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert remains(store) == []


async def test_too_much_is_refused_and_gone(store: BlobStore) -> None:
    writer = store.writer(size_limit=2 * BUFFER)
    with pytest.raises(BodyTooLarge):
        for _ in range(100):
            await writer.write(b"x" * (64 << 10))
    assert remains(store) == []
    assert (await written(store, b"x" * 100, size_limit=100)).size == 100


@pytest.mark.parametrize("step", ["write_all", "publish"])
async def test_a_full_disk_is_said_and_leaves_nothing(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, step, full)
    with pytest.raises(StoreFull):
        await written(store, b"x" * (3 * BUFFER))
    assert remains(store) == []


async def test_a_really_full_disk(tmp_path: Path) -> None:
    """A filesystem of 4 MiB, where the kernel lets us have one."""
    root = tmp_path / "small"
    root.mkdir()
    if os.system(f"mount -t tmpfs -o size=4m tmpfs {root} 2>/dev/null") != 0:
        pytest.skip("may not mount")
    try:
        store = BlobStore(root, reserve=1 << 20)
        store.prepare()
        with pytest.raises(StoreFull, match="reserve"):
            await written(store, b"x" * (16 << 20))
        assert os.statvfs(root).f_bavail * os.statvfs(root).f_frsize > 3 << 20
        store.folders.reserve = 0
        with pytest.raises(StoreFull):
            await written(store, b"x" * (16 << 20))
        assert remains(store) == []
        assert (await written(store, b"x" * (1 << 20))).size == 1 << 20
        store.close()
    finally:
        os.system(f"umount {root}")


async def test_a_name_that_did_not_reach_the_disk_is_no_blob(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(files, "sync_folder", broken)
    with pytest.raises(StoreUnavailable, match="Input/output"):
        await written(store, b"x" * BUFFER)
    assert remains(store) == []


async def test_parts_are_joined(store: BlobStore) -> None:
    bodies = [os.urandom(n) for n in (5 << 20, 1, 0, 77777)]
    parts = [await written(store, body) for body in bodies]
    whole = await store.join([part.id or "" for part in parts])
    assert whole.id is not None
    assert (store.root / path_of(whole.id)).read_bytes() == b"".join(bodies)
    assert (whole.size, whole.md5) == (sum(map(len, bodies)), "")
    with pytest.raises(BlobMissing):
        await store.join([parts[0].id or "", new_id()])
    assert len(remains(store)) == 5


async def test_joining_without_help_of_the_kernel(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "copy_file_range", unknown)
    bodies = [os.urandom(3 << 20), b"tail"]
    whole = await store.join([(await written(store, body)).id or "" for body in bodies])
    assert (store.root / path_of(whole.id or "")).read_bytes() == b"".join(bodies)


async def test_who_reads_reads_to_the_end(store: BlobStore) -> None:
    body = os.urandom(2 << 20)
    info = await written(store, body)
    reading = store.read(info.id or "")
    first = await anext(reading)
    await store.delete([info.id or "", new_id()])
    assert first + b"".join([part async for part in reading]) == body
    with pytest.raises(BlobMissing):
        await anext(store.read(info.id or ""))


async def test_many_at_once(store: BlobStore) -> None:
    bodies = [os.urandom(100_000 + n) for n in range(60)]
    infos = await asyncio.gather(*(written(store, body) for body in bodies))
    for body, info in zip(bodies, infos, strict=True):
        assert (store.root / path_of(info.id or "")).read_bytes() == body


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "..",
        "../../etc/passwd",
        "a" * 31,
        "A" * 32,
        "a" * 32 + "\n",
        "ab/" + "a" * 29,
        "a-" + "a" * 32,
        "../x-" + "a" * 32,
        "Disk-" + "a" * 32,
        "ab-" + "a" * 32,
    ],
)
def test_what_is_no_id_has_no_path(bad: str) -> None:
    with pytest.raises(ValueError, match="not a blob id"):
        path_of(bad)


def test_ids() -> None:
    made = {new_id() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"[0-9a-f]{32}", each) for each in made)
    assert path_of("ab" + "0" * 30) == "ab/ab" + "0" * 30
    assert path_of("disk2-ab" + "0" * 30) == "disk2/ab/ab" + "0" * 30


async def test_sweeping_finds_what_is_old_only(store: BlobStore) -> None:
    old, fresh = await written(store, b"old"), await written(store, b"fresh")
    stale = store.root / "tmp" / new_id()
    stale.write_bytes(b"half")
    (store.root / "tmp" / new_id()).write_bytes(b"running")
    (store.root / path_of(old.id or "")).with_name("not-a-blob").write_bytes(b"?")
    long_ago = time.time() - 7200
    for path in (store.root / path_of(old.id or ""), stale):
        os.utime(path, (long_ago, long_ago))
    assert list(store.old_blobs(3600)) == [[old.id]]
    assert store.remove_stale_temporaries(3600) == 1
    store.remove([old.id or ""])
    assert (store.root / path_of(fresh.id or "")).exists()
    store.prepare()  # may run again
