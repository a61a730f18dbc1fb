"""The aws-chunked coding: published examples, however it is cut, and each way it can be broken."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from storage.s3 import sigv4
from storage.s3.chain import Chain, Seed
from storage.s3.chunked import AwsChunked
from storage.s3.errors import S3Error
from storage.s3.tests.chunks import Chunked, body

VECTORS = json.loads((Path(__file__).parent / "vectors" / "chunked.json").read_text())
SCOPE = "20130524/us-east-1/s3/aws4_request"
KEY = sigv4.signing_key(VECTORS["secret_access_key"], "20130524", "us-east-1", "s3")
CRC = "x-amz-checksum-crc32:AAAAAA=="
BIG = b"a" * 8192


def seed(signature: str = "0" * 64) -> Seed:
    return Seed(KEY, VECTORS["timestamp"], SCOPE, signature)


def signer() -> Chunked:
    return Chunked(*seed())


def decode(
    wire: bytes, *, signed: bool = True, trailer: bool = True, step: int = 0
) -> tuple[bytes, AwsChunked]:
    decoder = AwsChunked(Chain(seed()) if signed else None, trailer=trailer)
    pieces = [wire[at : at + step] for at in range(0, len(wire), step)] if step else [wire]
    return b"".join(part for piece in pieces for part in decoder.feed(piece)), decoder


def refused(wire: bytes, *, signed: bool = True, trailer: bool = True) -> str:
    """The code; IncompleteBody too when the end never comes, as `Body` then says."""
    try:
        _, decoder = decode(wire, signed=signed, trailer=trailer)
    except S3Error as error:
        return error.code
    return "" if decoder.done else "IncompleteBody"


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_published_examples(case: dict[str, Any]) -> None:
    names = tuple(case["signed_headers"].split(";"))
    rest = sigv4.canonical_rest("", case["headers"], names, case["mode"])
    assert sigv4.sign(KEY, VECTORS["timestamp"], SCOPE, f"PUT\n{case['path']}\n{rest}") == case["seed"]
    chain = Chain(seed(case["seed"]))
    for size, signature in zip(VECTORS["chunk_sizes"], case["chunks"], strict=True):
        chain.chunk(hashlib.sha256(VECTORS["content"].encode() * size).hexdigest(), signature)
    chain.trailer(case["trailers"], case["trailer_signature"])


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100, 8192, 100_000])
@pytest.mark.parametrize("trailer", [None, "", CRC])
def test_signed_chunks_are_decoded_however_they_arrive(step: int, trailer: str | None) -> None:
    chunks = [BIG, b"b" * 9000, b"end"]
    content, decoder = decode(body(signer(), chunks, trailer), trailer=trailer is not None, step=step)
    assert content == b"".join(chunks)
    assert decoder.done
    assert decoder.trailers == ({"x-amz-checksum-crc32": "AAAAAA=="} if trailer else {})


@pytest.mark.parametrize("step", [1, 2, 5, 100_000])
def test_unsigned_chunks_are_decoded_however_they_arrive(step: int) -> None:
    wire = b"2000\r\n" + BIG + b"\r\n5\r\nhello\r\n0\r\n" + CRC.encode() + b"\r\n\r\n"
    content, decoder = decode(wire, signed=False, step=step)
    assert content == BIG + b"hello"
    assert decoder.done
    assert decoder.trailers == {"x-amz-checksum-crc32": "AAAAAA=="}


@pytest.mark.parametrize("step", [1, 100_000])
def test_a_trailer_as_the_documentation_writes_it(step: int) -> None:
    """LF CR LF behind its lines, which some clients copied."""
    for ending in (b"\n\r\n", b"\n\r\n\r\n"):
        content, decoder = decode(b"1\r\na\r\n0\r\n" + CRC.encode() + ending, signed=False, step=step)
        assert (content, decoder.done) == (b"a", True)
        assert decoder.trailers == {"x-amz-checksum-crc32": "AAAAAA=="}
    chunked = signer()
    chunked.chunk(b"a")
    chunked.chunk(b"")
    chunked.trailer(CRC, "\n\r\n")
    content, decoder = decode(b"".join(chunked.pieces) + b"\r\n", step=step)
    assert (content, decoder.done) == (b"a", True)


def test_no_content_is_one_last_chunk() -> None:
    assert decode(body(signer(), []), trailer=False)[0] == b""
    assert decode(b"0\r\n\r\n", signed=False)[1].done


def changed(wire: bytes, old: bytes, new: bytes) -> bytes:
    assert old in wire
    return wire.replace(old, new, 1)


def test_every_change_to_a_signed_body_is_found() -> None:
    chunked = signer()
    wire = body(chunked, [BIG, b"b" * 8192, b"c"], CRC)
    one, two, three, last, trailer = chunked.pieces
    end = b"\r\n"
    for bent in (
        changed(wire, b"aaaa", b"aaab"),
        changed(wire, b"\r\nc\r\n", b"\r\nd\r\n"),
        changed(wire, b"AAAAAA==", b"BAAAAA=="),
        changed(wire, b"chunk-signature=", b"chunk-signature=" + b"0" * 64 + b"\r\n")[: len(one)] + two,
        two + one + three + last + trailer + end,
        one + three + last + trailer + end,
        one + two + last + trailer + end,
        one + one + two + three + last + trailer + end,
        one + two + three + body(signer(), []),
        wire[: -len(trailer) - 2] + b"x-amz-trailer-signature:" + b"0" * 64 + b"\r\n\r\n",
        wire[: -len(trailer) - 2] + trailer.replace(b"crc32", b"crc32c") + end,
        wire[: -len(trailer) - 2] + trailer[len(CRC) + 2 :] + end,
    ):
        assert refused(bent) in ("SignatureDoesNotMatch", "IncompleteBody"), bent[-200:]
    assert refused(wire) == ""


def test_another_requests_chunks_do_not_fit() -> None:
    assert refused(body(Chunked(*seed("1" * 64)), [b"hello"]), trailer=False) == "SignatureDoesNotMatch"
    other = Chunked(b"another key", VECTORS["timestamp"], SCOPE, "0" * 64)
    assert refused(body(other, [b"hello"]), trailer=False) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("trailer", [None, CRC])
def test_a_signed_body_cut_anywhere_is_incomplete(trailer: str | None) -> None:
    wire = body(signer(), [b"hello"], trailer)
    for at in range(len(wire)):
        assert refused(wire[:at], trailer=trailer is not None) == "IncompleteBody", wire[:at]


SIGNATURE = b"0" * 64


@pytest.mark.parametrize(
    "wire",
    [
        b"j;chunk-signature=" + SIGNATURE + b"\r\nhello\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5;\r\nhello\r\n",
        b"5:chunk-signature=" + SIGNATURE + b"\r\nhello\r\n",
        b"5;" + SIGNATURE + b"\r\nhello\r\n",
        b"5;chunk-signature=" + SIGNATURE[1:] + b"\r\nhello\r\n",
        b"5;chunk-signature=" + SIGNATURE + b"0\r\nhello\r\n",
        b"5;chunk-signature=" + b"G" * 64 + b"\r\nhello\r\n",
        b"5;chunk-signature=" + SIGNATURE + b"\nhello\r\n",
        b"5;chunk-signature=" + SIGNATURE + b";a=b\r\nhello\r\n",
        b"5;a=b;chunk-signature=" + SIGNATURE + b"\r\nhello\r\n",
        b"-5;chunk-signature=" + SIGNATURE + b"\r\nhello\r\n",
        b"+5;chunk-signature=" + SIGNATURE + b"\r\nhello\r\n",
        b"0x5;chunk-signature=" + SIGNATURE + b"\r\nhello\r\n",
        b"\r\n5;chunk-signature=" + SIGNATURE + b"\r\nhello\r\n",
        b"5;chunk-signature=" + SIGNATURE + b"\r\nhelloXX",
        b"5;chunk-signature=" + SIGNATURE + b"\r\nhello!\r\n",
        b"1" * 2000,
        b"1" * 17 + b";chunk-signature=" + SIGNATURE + b"\r\n",
    ],
)
def test_what_is_not_the_signed_coding_is_refused(wire: bytes) -> None:
    assert refused(wire, trailer=False) == "IncompleteBody"


@pytest.mark.parametrize(
    "wire",
    [
        b"x\r\nhello\r\n",
        b"\r\n",
        b"-5\r\nhello\r\n",
        b"5;chunk-signature=" + SIGNATURE + b"\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\r\n",
        b"5\r\nhello!\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhelloXX",
        b"6\r\nhello\r\n0\r\n\r\n",
        b"5\r\nXYZ\r\nhello\r\n0\r\n\r\n",
        b"0\r\n\r\nmore",
        b"0\r\n\r\n\r\n",
        b"1\r\na\r\n0\r\na:b\n\r\n\r\n\r\n",
        b"1\r\na\r\n0\r\na:b\n\r\nc:d\r\n\r\n",
        b"1" * 2000,
        b"0\r\n" + b"a" * 2000,
        b"11111111111111111\r\n",
    ],
)
def test_what_is_not_the_unsigned_coding_is_refused(wire: bytes) -> None:
    assert refused(wire, signed=False) == "IncompleteBody"


@pytest.mark.parametrize(
    "wire", [b"0\r\nno colon\r\n\r\n", b"0\r\n" + b"a:b\r\n" * 2, b"0\r\na:b\r\nA : c\r\n\r\n"]
)
def test_a_malformed_trailer(wire: bytes) -> None:
    assert refused(wire, signed=False) == "MalformedTrailerError"


def test_a_trailer_where_none_was_announced() -> None:
    wire = body(signer(), [b"hello"])
    assert refused(wire[:-2] + CRC.encode() + b"\r\n\r\n", trailer=False) == "IncompleteBody"
    wire = body(signer(), [b"hello"], CRC)
    assert refused(wire, trailer=False) == "IncompleteBody"


def test_a_trailer_must_be_signed_once_and_last() -> None:
    assert refused(body(signer(), [b"hello"])[:-2] + CRC.encode() + b"\r\n\r\n") == "IncompleteBody"
    assert refused(body(signer(), [b"hello"])) == "IncompleteBody"
    wire = body(signer(), [b"hello"], CRC)
    assert refused(wire[:-2] + b"more:1\r\n\r\n") == "IncompleteBody"
    assert refused(changed(wire, b"trailer-signature:", b"trailer-signature:00")) == "IncompleteBody"


@pytest.mark.parametrize(
    ("sizes", "accepted"),
    [
        ([8192, 8192, 100], True),
        ([100], True),
        ([10000, 9500, 20], True),
        ([100, 8192], False),
        ([8192, 10, 100], False),
        ([10, 10, 10], False),
        ([8191, 1], False),
    ],
)
@pytest.mark.parametrize("signed", [True, False])
def test_only_the_last_chunk_may_be_small(sizes: list[int], accepted: bool, signed: bool) -> None:
    chunks = [b"x" * size for size in sizes]
    wire = body(signer(), chunks)
    if not signed:
        wire = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    assert refused(wire, signed=signed, trailer=False) == ("" if accepted else "InvalidChunkSizeError")
