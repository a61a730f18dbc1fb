"""SendFile: the edge sends a blob, and nothing else on the disk."""

import os
from email.utils import formatdate
from pathlib import Path

import pytest

from .conftest import Client, Decide
from .harness import Edge

BODY = bytes(range(256)) * 40
MODIFIED = formatdate(1_600_000_000, usegmt=True)


@pytest.fixture
def blob(edge: Edge) -> str:
    path = edge.home / "blobs" / "ab" / "0123abcdef"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(BODY)
    return "ab/0123abcdef"


def file(decide: Decide, path: str, **fields: object) -> dict[str, str]:
    headers = [["ETag", '"e-1"'], ["Content-Type", "text/x"], ["x-amz-meta-a", "1"]]
    return decide("file", path=path, headers=headers, last_modified=MODIFIED, **fields)


async def test_a_blob_with_the_deciders_headers(http: Client, decide: Decide, blob: str) -> None:
    async with http.get("/s3/b/k.html", headers=file(decide, blob)) as answer:
        assert (answer.status, await answer.read()) == (200, BODY)
        assert answer.headers["ETag"] == '"e-1"'
        assert answer.headers.getall("Content-Type") == ["text/x"]
        assert answer.headers["x-amz-meta-a"] == "1"
        assert answer.headers["Last-Modified"] == MODIFIED
        assert answer.headers["Content-Length"] == str(len(BODY))
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert "Vary" not in answer.headers
        assert len(answer.headers.getall("X-Request-ID")) == 1
        assert not [name for name in answer.headers if name.lower().startswith("x-gw-")]


async def test_head_and_ranges(http: Client, decide: Decide, blob: str) -> None:
    async with http.head("/x", headers=file(decide, blob)) as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(BODY)))
        assert await answer.read() == b""
    async with http.get("/x", headers=file(decide, blob, range="bytes=10-19")) as answer:
        assert (answer.status, await answer.read()) == (206, BODY[10:20])
        assert answer.headers["Content-Range"] == f"bytes 10-19/{len(BODY)}"
        assert answer.headers["Content-Length"] == "10"
    async with http.head("/x", headers=file(decide, blob, range="bytes=10-19")) as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (206, "10")


async def test_the_clients_conditions_and_ranges_are_not_judged_again(
    http: Client, decide: Decide, blob: str
) -> None:
    mine = {
        "If-None-Match": '"e-1"',
        "If-Modified-Since": MODIFIED,
        "If-Match": '"other"',
        "Range": "bytes=0-1,5-6",
        "If-Range": '"e-1"',
        "Accept-Encoding": "gzip, zstd, br",
    }
    async with http.get("/x", headers={**file(decide, blob), **mine}) as answer:
        assert (answer.status, await answer.read()) == (200, BODY)


async def test_an_empty_blob(edge: Edge, http: Client, decide: Decide, blob: str) -> None:
    (edge.home / "blobs" / "ab" / "empty").touch()
    async with http.get("/x", headers=file(decide, "ab/empty")) as answer:
        assert (answer.status, await answer.read(), answer.headers["Content-Length"]) == (200, b"", "0")


async def test_a_missing_blob_is_the_deciders_to_explain(http: Client, decide: Decide, blob: str) -> None:
    async with http.get("/x", headers=file(decide, "ab/gone")) as answer:
        assert answer.status == 404
        assert (await answer.json())["failed"] == 404
        assert not {"ETag", "Last-Modified", "x-amz-meta-a"} & set(answer.headers)
        assert answer.headers["Content-Type"] == "application/json"
        assert len(answer.headers.getall("X-Request-ID")) == 1


@pytest.mark.parametrize(
    "path",
    [
        "../run/caddy.json",
        "ab/../../run/caddy.json",
        "ab",
        "ab/",
        "ab/.hidden",
        "%2e%2e/x",
        "ab//x",
        "/etc/passwd",
    ],
)
async def test_no_other_path_can_be_said(http: Client, decide: Decide, blob: str, path: str) -> None:
    async with http.get("/x", headers=file(decide, path)) as answer:
        assert answer.status == 500
        assert (await answer.json())["failed"] == 500


async def test_a_folder_is_not_listed(edge: Edge, http: Client, decide: Decide, blob: str) -> None:
    (edge.home / "blobs" / "ab" / "folder").mkdir(exist_ok=True)
    (edge.home / "blobs" / "ab" / "folder" / "index.html").touch()
    async with http.get("/x", headers=file(decide, "ab/folder")) as answer:
        assert answer.status == 404


async def test_a_blob_deleted_while_it_is_sent_arrives_whole(
    edge: Edge, http: Client, decide: Decide
) -> None:
    path: Path = edge.home / "blobs" / "cd" / "big"
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as made:
        os.truncate(made.fileno(), 64 << 20)
    async with http.get("/x", headers=file(decide, "cd/big")) as answer:
        await answer.content.readexactly(1000)
        path.unlink()
        assert len(await answer.read()) == (64 << 20) - 1000
