"""Forward with a token: Python's answer to the upstream's becomes the client's."""

import asyncio
from typing import Any

import aiohttp
import pytest

from .conftest import Client, Decide, lines, raw
from .harness import Edge
from .upstream import Upstream

HELLO = '"5d41402abc4b2a76b9719d911017c592"'


async def committed(http: Client, decide: Decide) -> Any:
    async with http.get("/x", headers=decide("committed")) as answer:
        return await answer.json()


async def test_the_commit_answers_the_client(http: Client, backend: Upstream, decide: Decide) -> None:
    token = {"journal": 1, "key": "ü/{env.HOME}"}
    wish = decide("forward", dial=backend.dial, uri="/b/k", commit=token)
    async with http.put("/x", data=b"hello", headers=wish) as answer:
        assert (answer.status, answer.headers["ETag"], await answer.read()) == (200, HELLO, b"")
        assert answer.headers["X-Committed"] == "1"
        assert "X-Amz-Version-Id" not in answer.headers
        assert len(answer.headers.getall("X-Request-ID")) == 1
    last = (await committed(http, decide))[-1]
    assert last["token"] == token
    assert last["status"] == 200
    assert last["headers"]["etag"] == HELLO
    assert last["headers"]["x-amz-version-id"] == "v1"
    assert last["headers"]["x-amz-checksum-crc32"] == "AAAAAA=="
    assert "x-amz-checksum-sha1" not in last["headers"]


async def test_a_refusal_of_the_upstream_is_committed_too(
    http: Client, backend: Upstream, decide: Decide
) -> None:
    wish = decide("forward", dial=backend.dial, uri="/status/412", commit={"journal": 2})
    async with http.put("/x", data=b"hello", headers=wish) as answer:
        assert (answer.status, await answer.read()) == (412, b"")
        assert "X-Backend-Secret" not in answer.headers
    assert (await committed(http, decide))[-1]["status"] == 412


async def test_a_commit_that_fails_is_an_error(http: Client, backend: Upstream, decide: Decide) -> None:
    wish = decide("forward", dial=backend.dial, uri="/b", commit={"crash": True})
    async with http.put("/x", data=b"hello", headers=wish) as answer:
        assert answer.status == 500
        assert (await answer.json())["commit"] == {"crash": True}


async def test_a_client_that_leaves_midway_commits_nothing(
    edge: Edge, http: Client, backend: Upstream, decide: Decide
) -> None:
    before = len(await committed(http, decide))
    async with raw(edge) as (_, writer):
        wish = decide("forward", dial=backend.dial, uri="/b", commit={"journal": 3})
        head = "PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
        writer.write(f"{head}{lines(wish)}\r\n".encode() + bytes(500))
        await backend.bodies_begun.wait()
    await asyncio.sleep(0.3)
    assert len(await committed(http, decide)) == before


async def released(http: Client, decide: Decide, token: dict[str, Any]) -> bool:
    """Whether the end of that Forward is heard of within a while."""
    for _ in range(600):
        async with http.get("/x", headers=decide("released")) as answer:
            if token in await answer.json():
                return True
        await asyncio.sleep(0.05)
    return False


@pytest.mark.parametrize("path", ["/b", "/status/500"])
async def test_the_end_is_heard_of(http: Client, backend: Upstream, decide: Decide, path: str) -> None:
    token = {"journal": path}
    async with http.put(
        "/x", data=b"hello", headers=decide("forward", dial=backend.dial, uri=path, commit=token)
    ):
        assert await released(http, decide, token)


async def test_the_end_of_what_never_reached_its_upstream_is_heard_of(http: Client, decide: Decide) -> None:
    token = {"journal": "nowhere"}
    async with http.put(
        "/x", data=b"x", headers=decide("forward", dial="127.0.0.1:1", uri="/", commit=token)
    ):
        assert await released(http, decide, token)


async def test_the_end_is_heard_of_when_the_client_leaves_midway_and_not_before(
    edge: Edge, http: Client, backend: Upstream, decide: Decide
) -> None:
    token = {"journal": "midway"}
    async with raw(edge) as (_, writer):
        wish = decide("forward", dial=backend.dial, uri="/b", commit=token)
        head = "PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
        writer.write(f"{head}{lines(wish)}\r\n".encode() + bytes(500))
        await backend.bodies_begun.wait()
        async with http.get("/x", headers=decide("released")) as answer:
            assert token not in await answer.json()
    assert await released(http, decide, token)


async def test_a_token_of_another_is_refused(edge: Edge) -> None:
    """Somebody who reaches the decision process's socket cannot commit or handle what was not decided."""
    connector = aiohttp.UnixConnector(str(edge.home / "run" / "decision.sock"))
    edges = {"X-Gw-Head": "PUT 1.1.1.1 80 5 /x", "X-Gw-Decider": "fake"}
    async with aiohttp.ClientSession("http://decision", connector=connector) as session:
        for path in ("/commit", "/handle/fake"):
            forged = {**edges, "X-Gw-Status": "200", "X-Gw-Token": "AAAAAAAAAAAAAAAAAAAAAHt9"}
            async with session.get(path, headers=forged) as answer:
                assert answer.status == 500
