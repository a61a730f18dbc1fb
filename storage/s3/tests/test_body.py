"""Payload modes, the chunked coding however it is cut, checksums and what a broken body says."""

import zlib
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

import pytest
from awscrt import checksums as crt

from storage.s3 import body, checksums
from storage.s3.body import Body, Payload
from storage.s3.errors import S3Error

CONTENT = b"hello chunked world"
WIRE = b"13\r\nhello chunked world\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"


def receiver(pieces: Iterable[bytes], *, cut: bool = False) -> body.Receive:
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.disconnect"} if cut else {"type": "http.request", "body": b""})
    source = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(source)

    return receive


async def collect(
    pieces: Iterable[bytes], size: int, payload: Payload, *, cut: bool = False
) -> tuple[bytes, Body]:
    content = Body(receiver(pieces, cut=cut), payload, size)
    return b"".join([piece async for piece in content]), content


@pytest.mark.asyncio
async def test_a_whole_body() -> None:
    found, _ = await collect([CONTENT[:3], CONTENT[3:]], len(CONTENT), Payload.HASHED)
    assert found == CONTENT
    found, decoded = await collect([WIRE[:20], WIRE[20:]], len(CONTENT), Payload.CHUNKED)
    assert found == CONTENT
    assert decoded.trailers == {"x-amz-checksum-crc32": "AAAAAA=="}
    assert (await collect([], 0, Payload.UNSIGNED))[0] == b""


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("pieces", "size", "payload", "cut"),
    [
        ([CONTENT], len(CONTENT) + 1, Payload.HASHED, False),
        ([CONTENT], len(CONTENT) - 1, Payload.HASHED, False),
        ([CONTENT], len(CONTENT), Payload.HASHED, True),
        ([WIRE], len(CONTENT) + 1, Payload.CHUNKED, False),
        ([WIRE], len(CONTENT) - 1, Payload.CHUNKED, False),
        ([WIRE[:-2]], len(CONTENT), Payload.CHUNKED, False),
        ([WIRE[:-40]], len(CONTENT), Payload.CHUNKED, False),
        ([], 1, Payload.UNSIGNED, False),
    ],
)
async def test_an_incomplete_body(pieces: list[bytes], size: int, payload: Payload, cut: bool) -> None:
    with pytest.raises(S3Error) as caught:
        await collect(pieces, size, payload, cut=cut)
    assert caught.value.code == "IncompleteBody"


@pytest.mark.asyncio
async def test_a_silent_client_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setattr(body, "IDLE_SECONDS", 0.01)

    async def silence() -> dict[str, Any]:
        await asyncio.sleep(10)
        raise AssertionError

    with pytest.raises(S3Error, match="RequestTimeout"):
        [piece async for piece in body.pieces(silence)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("UNSIGNED-PAYLOAD", Payload.UNSIGNED),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", Payload.CHUNKED),
        ("0" * 64, Payload.HASHED),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", Payload.SIGNED_CHUNKS),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", Payload.SIGNED_TRAILER),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "NotImplemented"),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER", "NotImplemented"),
        ("STREAMING-SOMETHING", "InvalidArgument"),
        ("0" * 63, "InvalidArgument"),
        ("A" * 64, "InvalidArgument"),
        ("", "InvalidArgument"),
    ],
)
def test_payload_modes(value: str, expected: Payload | str) -> None:
    if isinstance(expected, Payload):
        assert body.payload_of(value) is expected
        return
    with pytest.raises(S3Error) as caught:
        body.payload_of(value)
    assert caught.value.code == expected


@pytest.mark.parametrize(
    ("payload", "length", "decoded", "expected"),
    [
        (Payload.HASHED, 5, None, 5),
        (Payload.HASHED, 0, None, 0),
        (Payload.HASHED, None, None, "MissingContentLength"),
        (Payload.HASHED, 5 * 1024**3 + 1, None, "EntityTooLarge"),
        (Payload.CHUNKED, None, "5", 5),
        (Payload.CHUNKED, 90, "5", 5),
        (Payload.CHUNKED, 90, None, "MissingContentLength"),
        (Payload.CHUNKED, 90, "-5", "MissingContentLength"),
        (Payload.CHUNKED, 90, "12x", "MissingContentLength"),
        (Payload.CHUNKED, 90, "٣", "MissingContentLength"),
        (Payload.CHUNKED, 90, "9" * 40, "MissingContentLength"),
        (Payload.SIGNED_CHUNKS, 90, None, "MissingContentLength"),
        (Payload.SIGNED_TRAILER, None, "5", 5),
        (Payload.UNSIGNED, 90, "5", 90),
        (Payload.CHUNKED, 90, str(5 * 1024**3 + 1), "EntityTooLarge"),
    ],
)
def test_announced_sizes(
    payload: Payload, length: int | None, decoded: str | None, expected: int | str
) -> None:
    sent = {} if decoded is None else {"x-amz-decoded-content-length": decoded}
    if isinstance(expected, int):
        assert body.announced_size(payload, length, sent) == expected
        return
    with pytest.raises(S3Error) as caught:
        body.announced_size(payload, length, sent)
    assert caught.value.code == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, None),
        ({"x-amz-checksum-mode": "ENABLED"}, None),
        ({"x-amz-checksum-crc32": "AAAAAA=="}, ("crc32", "AAAAAA==")),
        (
            {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "CRC32"},
            ("crc32", "AAAAAA=="),
        ),
        ({"x-amz-trailer": "x-amz-checksum-crc64nvme"}, ("crc64nvme", None)),
        ({"x-amz-checksum-crc32": "AAAA"}, "BadDigest"),
        ({"x-amz-checksum-crc32": "!!!!!!=="}, "BadDigest"),
        ({"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-sha1": "x"}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": "AAAAAA==", "x-amz-trailer": "x-amz-checksum-crc32"}, "InvalidRequest"),
        ({"x-amz-checksum-crc99": "AAAAAA=="}, "InvalidRequest"),
        ({"x-amz-checksum-sha512": "AAAAAA=="}, "InvalidRequest"),
        ({"x-amz-checksum-md5": "AAAAAA=="}, "InvalidRequest"),
        ({"x-amz-trailer": "x-amz-checksum-xxhash64"}, "InvalidRequest"),
        ({"x-amz-trailer": "x-amz-meta-a"}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "SHA1"}, "InvalidRequest"),
        ({"x-amz-sdk-checksum-algorithm": "CRC32"}, "InvalidRequest"),
    ],
)
def test_the_checksum_of_a_request(sent: dict[str, str], expected: Any) -> None:
    if not isinstance(expected, str):
        assert checksums.asked(sent) == expected
        return
    with pytest.raises(S3Error) as caught:
        checksums.asked(sent)
    assert caught.value.code == expected


def test_content_md5() -> None:
    assert checksums.content_md5({}) is None
    assert (
        checksums.content_md5({"content-md5": "XUFAKrxLKna5cZ2REBfFkg=="})
        == "5d41402abc4b2a76b9719d911017c592"
    )
    for bad in ("", "x", "XUFAKrxLKna5cZ2REBfFkg", "AAAA"):
        with pytest.raises(S3Error, match="InvalidDigest"):
            checksums.content_md5({"content-md5": bad})


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, ("crc64nvme", "FULL_OBJECT")),
        ({"x-amz-checksum-algorithm": "CRC64NVME"}, ("crc64nvme", "FULL_OBJECT")),
        ({"x-amz-checksum-algorithm": "CRC32"}, ("crc32", "COMPOSITE")),
        (
            {"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT"},
            ("crc32", "FULL_OBJECT"),
        ),
        ({"x-amz-checksum-algorithm": "SHA256"}, ("sha256", "COMPOSITE")),
        ({"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-type": "FULL_OBJECT"}, None),
        ({"x-amz-checksum-algorithm": "CRC64NVME", "x-amz-checksum-type": "COMPOSITE"}, None),
        *(
            ({"x-amz-checksum-algorithm": name}, None)
            for name in ("MD4", "MD5", "SHA512", "XXHASH3", "XXHASH128")
        ),
        ({"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "PARTIAL"}, None),
    ],
)
def test_the_checksum_of_an_upload(sent: dict[str, str], expected: tuple[str, str] | None) -> None:
    if expected:
        assert checksums.multipart(sent) == expected
        return
    with pytest.raises(S3Error, match="InvalidRequest"):
        checksums.multipart(sent)


def test_a_checksum_that_is_not_computed_here_is_told_by_name() -> None:
    for call in (checksums.asked, checksums.of_whole):
        with pytest.raises(S3Error) as caught:
            call({"x-amz-checksum-xxhash64": "AAAAAAAAAAA="})
        assert caught.value.code == "InvalidRequest"
        assert "valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]" in caught.value.message
    kept = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-type": "FULL_OBJECT"}
    assert checksums.of_whole(kept) == ("crc32", "AAAAAA==")
    assert checksums.of_whole({"x-amz-checksum-sha1": f"{'A' * 27}=-3"}) == ("sha1", f"{'A' * 27}=-3")
    assert checksums.of_whole({"x-amz-checksum-type": "COMPOSITE"}) is None


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-sha1": f"{'A' * 27}="}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": "AAAA"}, "BadDigest"),
        ({"x-amz-checksum-crc32": "AAAAAA==-x"}, "BadDigest"),
    ],
)
def test_what_is_no_checksum_of_the_whole(sent: dict[str, str], code: str) -> None:
    with pytest.raises(S3Error) as caught:
        checksums.of_whole(sent)
    assert caught.value.code == code


def b64(value: int, size: int) -> str:
    return b64encode(value.to_bytes(size, "big")).decode()


@pytest.mark.parametrize("algorithm", ["crc32", "crc32c", "crc64nvme"])
def test_a_full_checksum_is_that_of_the_bytes(algorithm: str) -> None:
    compute, size = getattr(crt, algorithm), checksums.SIZES[algorithm]
    parts = [b"a" * 5000, b"", b"bc" * 3333, b"d"]
    whole = checksums.joined(
        algorithm, checksums.FULL, [(b64(compute(part), size), len(part)) for part in parts]
    )
    assert whole == b64(compute(b"".join(parts)), size)


def test_a_composite_checksum_is_that_of_the_checksums() -> None:
    one, two = zlib.crc32(b"one").to_bytes(4, "big"), zlib.crc32(b"two").to_bytes(4, "big")
    parts = [(b64encode(one).decode(), 3), (b64encode(two).decode(), 3)]
    expected = b64(zlib.crc32(one + two), 4) + "-2"
    assert checksums.joined("crc32", checksums.COMPOSITE, parts) == expected
    assert checksums.kind_of(expected) == checksums.COMPOSITE
