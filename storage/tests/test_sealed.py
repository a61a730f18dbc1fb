"""Sealed bodies: any range comes back as it was, and whatever was touched does not open."""

from __future__ import annotations

import os
import random
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import BlobCorrupt
from storage.store import BlobStore, path_of
from storage.store.digests import Digests
from storage.store.sealed import FRAME, TAG, Layout, Opener, Sealer, new_key, sealed_size

EDGES = [0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME, 9 * FRAME + 5]
KEY = bytes(range(32))


def body_of(size: int, seed: int = 0) -> bytes:
    return random.Random(size * 1000 + seed).randbytes(size)


def sealed(body: bytes, key: bytes = KEY, chunk: int = 100_000) -> tuple[bytes, Layout]:
    sealer = Sealer(key)
    pieces = [sealer.update(body[at : at + chunk]) for at in range(0, len(body), chunk)]
    return b"".join(pieces) + sealer.finish(), sealer.layout


def joined(sizes: list[int]) -> tuple[bytes, bytes, Layout]:
    """Plain body, sealed body and layout of several segments."""
    bodies = [body_of(size, n) for n, size in enumerate(sizes)]
    parts = [sealed(body) for body in bodies]
    return b"".join(bodies), b"".join(part for part, _ in parts), Layout.joined(layout for _, layout in parts)


@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("chunk", [FRAME, 1000, 7 * FRAME])
def test_a_body_comes_back(size: int, chunk: int) -> None:
    body = body_of(size)
    secret, layout = sealed(body, chunk=chunk)
    assert len(secret) == layout.sealed_size == sealed_size(size)
    assert layout.size == size
    assert Opener(KEY, layout).open_bytes(secret) == body
    assert size < 100 or body[:100] not in secret


@settings(derandomize=True, max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.one_of(st.sampled_from(EDGES), st.integers(0, 3 * FRAME)), min_size=1, max_size=5),
    start=st.floats(0, 1),
    length=st.one_of(st.none(), st.integers(1, 2 * FRAME + 10)),
)
def test_any_range_of_any_segments(sizes: list[int], start: float, length: int | None) -> None:
    body, secret, layout = joined(sizes)
    at = int(start * len(body))
    opener = Opener(KEY, Layout.from_json(layout.as_json()))
    expected = body[at:] if length is None else body[at : at + length]
    assert opener.open_bytes(secret, at, length) == expected
    read = sum(each.length for each in opener.reads(at, length))
    assert read <= len(expected) + (2 * len(sizes)) * (FRAME + TAG) + TAG * (len(expected) // FRAME)


def test_the_layout_is_small_and_its_digest_that_of_the_sealed_bytes() -> None:
    _, secret, layout = joined([FRAME, FRAME, 5])
    assert layout.as_json()["sizes"] == [[FRAME, 2], [5, 1]]
    digests = Digests(["crc64nvme"])
    digests.update(secret)
    assert digests.checksums() == {"crc64nvme": b64encode(layout.crc.to_bytes(8, "big")).decode()}
    assert Layout.from_json(layout.as_json()) == layout


def test_the_same_body_never_looks_the_same() -> None:
    assert sealed(b"same")[0] != sealed(b"same")[0]


def frames(secret: bytes) -> list[bytes]:
    return [secret[at : at + FRAME + TAG] for at in range(0, len(secret), FRAME + TAG)]


@pytest.mark.parametrize("at", [0, FRAME + 3, 2 * FRAME, -1])
def test_a_flipped_bit(at: int) -> None:
    secret, layout = sealed(body_of(3 * FRAME - 7))
    bad = bytearray(secret)
    bad[at] ^= 1
    with pytest.raises(BlobCorrupt):
        Opener(KEY, layout).open_bytes(bytes(bad))


def test_frames_in_another_order() -> None:
    secret, layout = sealed(body_of(3 * FRAME))
    one, two, three = frames(secret)
    for bad in (two + one + three, one + one + three, one + three + two):
        with pytest.raises(BlobCorrupt):
            Opener(KEY, layout).open_bytes(bad)


def test_a_body_that_was_cut_at_a_frame_and_a_row_that_says_so() -> None:
    """Who shortens file and size alike is found out by the frame that is not the last one."""
    secret, layout = sealed(body_of(3 * FRAME))
    short = b"".join(frames(secret)[:2])
    with pytest.raises(BlobCorrupt):
        Opener(KEY, layout).open_bytes(short)
    lying = Layout.from_json({**layout.as_json(), "sizes": [[2 * FRAME, 1]]})
    with pytest.raises(BlobCorrupt):
        Opener(KEY, lying).open_bytes(short)


def test_segments_in_another_order_and_from_elsewhere() -> None:
    bodies = [body_of(FRAME, n) for n in range(3)]
    parts = [sealed(body) for body in bodies]
    layout = Layout.joined([parts[0][1], parts[1][1]])
    for bad in (parts[1][0] + parts[0][0], parts[0][0] + parts[2][0]):
        with pytest.raises(BlobCorrupt):
            Opener(KEY, layout).open_bytes(bad)
    with pytest.raises(BlobCorrupt):
        Opener(new_key(), layout).open_bytes(parts[0][0] + parts[1][0])


async def test_the_store_writes_and_reads_sealed(store: BlobStore) -> None:
    body = body_of(2_000_003)
    async with store.writer(["crc32"], sealing=KEY) as writer:
        for at in range(0, len(body), 70_000):
            await writer.write(body[at : at + 70_000])
        info = await writer.finish()
    plain = Digests(["crc32"])
    plain.update(body)
    assert (info.size, info.md5, info.checksums) == (len(body), plain.md5(), plain.checksums())
    assert info.id
    assert info.layout
    path = store.root / path_of(info.id)
    assert path.stat().st_size == info.layout.sealed_size
    opener = Opener(KEY, info.layout)
    assert b"".join([each async for each in store.read(info.id, opener=opener)]) == body
    for start, length in ((0, 1), (65_535, 2), (1_999_000, 5000), (100_000, 700_000)):
        got = b"".join([each async for each in store.read(info.id, start, length, opener=opener)])
        assert got == body[start : start + length]


async def test_a_small_sealed_body_stays_in_memory(store: BlobStore) -> None:
    async with store.writer(inline_limit=8192, sealing=KEY) as writer:
        await writer.write(b"small")
        info = await writer.finish()
    assert info.layout
    assert info.inline
    assert info.size == 5
    assert b"small" not in info.inline
    assert Opener(KEY, info.layout).open_bytes(info.inline, 1, 3) == b"mal"


async def test_sealed_parts_are_joined_as_they_are(store: BlobStore) -> None:
    infos = []
    bodies = [body_of(size, 1) for size in (300_000, 300_000, 17)]
    for body in bodies:
        async with store.writer(sealing=KEY) as writer:
            await writer.write(body)
            infos.append(await writer.finish())
    whole = await store.join([info.id or "" for info in infos])
    layout = Layout.joined(info.layout for info in infos if info.layout)
    assert whole.size == layout.sealed_size
    reading = store.read(whole.id or "", 299_990, 300_020, opener=Opener(KEY, layout))
    assert b"".join([each async for each in reading]) == b"".join(bodies)[299_990:600_010]


@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "swap"])
async def test_a_damaged_file_gives_an_error_and_no_wrong_byte(store: BlobStore, damage: str) -> None:
    bodies = [body_of(1_000_000, n) for n in range(2)]
    infos = []
    for body in bodies:
        async with store.writer(sealing=KEY) as writer:
            await writer.write(body)
            infos.append(await writer.finish())
    path = store.root / path_of(infos[0].id or "")
    if damage == "flip":
        with path.open("r+b") as file:
            file.seek(900_000)
            file.write(os.urandom(8))
    elif damage == "cut":
        os.truncate(path, path.stat().st_size - TAG)
    elif damage == "grow":
        os.truncate(path, path.stat().st_size + 1)
    else:
        (store.root / path_of(infos[1].id or "")).rename(path)
    got = b""
    assert infos[0].layout
    with pytest.raises(BlobCorrupt):
        async for each in store.read(infos[0].id or "", opener=Opener(KEY, infos[0].layout)):
            got += each
    assert bodies[0].startswith(got)
    assert len(got) < len(bodies[0])
