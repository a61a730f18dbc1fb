"""Metadata names in lower case, whatever the pieces in which an answer arrives."""

from __future__ import annotations

import pytest

from gateway.edge.casing import AnswerCasing, opened_by_botocore

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Amz-Meta-My-Name: X-Amz-Meta-Q\r\nEtag: A\r\n\r\n"
LOWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx-amz-meta-my-name: X-Amz-Meta-Q\r\nEtag: A\r\n\r\n"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Amz-Meta-A: 1\r\n\r\n"
    b"11;x=y\r\nX-Amz-Meta-B: 2\r\n\r\n0\r\nTrailer: 1\r\n\r\n"
)
REQUEST = b"GET /b/k HTTP/1.1\r\nUser-Agent: Boto3/1.44 md/Botocore#1.44\r\n\r\n"


def relayed(exchanges: list[tuple[bytes, bytes]], piece: int) -> bytes:
    casing, out = AnswerCasing(), b""
    for request, answer in exchanges:
        casing.asked(memoryview(request))
        for start in range(0, len(answer), piece):
            out += bytes(casing.answered(memoryview(answer[start : start + piece])))
    return out


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, 10_000])
def test_only_names_of_metadata_in_heads_change(piece: int) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    body = b"X-Amz"
    empty = b"HTTP/1.1 204 No Content\r\nX-Amz-Meta-A: b\r\n\r\n"
    exchanges = [
        (REQUEST, interim + HEAD + body),
        (b"HEAD /b/k HTTP/1.1\r\n\r\n", HEAD),
        (REQUEST, CHUNKED),
        (REQUEST, empty),
        (REQUEST, HEAD + body),
    ]
    chunked = CHUNKED.replace(b"X-Amz-Meta-A", b"x-amz-meta-a")
    assert relayed(exchanges, piece) == (
        interim
        + LOWER
        + body
        + LOWER
        + chunked
        + empty.replace(b"X-Amz-Meta-A", b"x-amz-meta-a")
        + LOWER
        + body
    )


@pytest.mark.parametrize("piece", [1, 50, 10_000])
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + HEAD,
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end " + HEAD,
        b"nothing of HTTP\r\n\r\n" + HEAD,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n" + HEAD,
    ],
)
def test_what_cannot_be_followed_passes_untouched(answer: bytes, piece: int) -> None:
    assert relayed([(REQUEST, answer)], piece) == answer


def test_a_head_that_never_ends_is_not_kept_back_for_ever() -> None:
    endless = b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 60_000
    assert relayed([(REQUEST, endless)], 64 << 10) == endless


def test_botocore_is_known_by_its_agent() -> None:
    assert opened_by_botocore(REQUEST)
    assert not opened_by_botocore(b"GET / HTTP/1.1\r\nUser-Agent: rclone/1.75\r\n\r\nUser-Agent: botocore")
    assert not opened_by_botocore(b"\x16\x03\x01")
