"""Forward: what reaches an upstream, and what of its answer reaches the client."""

import asyncio

import aiohttp
import pytest

from tests.ports import free_port

from .conftest import Client, Decide, lines, raw, until
from .harness import Edge, rss
from .upstream import Upstream


@pytest.mark.parametrize(
    "uri",
    [
        "/plain",
        "/a%2Fb//c/%3A:%20+$1&x$$/../y",
        "/b/key?uploads=",
        "/b?list-type=2&prefix=&&x=a=b&z",
        "/%7Benv.HOME%7D?q=%7Bhttp.request.host%7D",
        "/~/x?~=~",
        "//double//",
    ],
)
async def test_the_uri_is_on_the_wire_as_decided(
    http: Client, backend: Upstream, decide: Decide, uri: str
) -> None:
    async with http.get("/elsewhere?old=1", headers=decide("forward", dial=backend.dial, uri=uri)) as answer:
        assert answer.status == 200
    assert backend.seen[0]["target"] == uri


async def test_placeholders_in_a_decision_are_not_expanded(
    http: Client, backend: Upstream, decide: Decide
) -> None:
    wish = decide(
        "forward", dial=backend.dial, uri="/{env.HOME}?{env.HOME}", set_headers={"X-It": "{env.HOME}"}
    )
    async with http.get("/x", headers=wish) as answer:
        assert answer.status == 200
    assert backend.seen[0]["target"] == "/%7Benv.HOME%7D?{env.HOME}"
    assert dict(backend.seen[0]["headers"])["x-it"] == "{env.HOME}"


@pytest.mark.parametrize("more", [{}, {"X-Amz-Content-Sha256": "e3"}, {"X-Amz-Meta-A": "b"}])
async def test_headers_are_set_and_removed(
    http: Client, backend: Upstream, decide: Decide, more: dict[str, str]
) -> None:
    wish = decide(
        "forward",
        dial=backend.dial,
        uri="/x",
        set_headers={"Host": "bucket.example", "X-Amz-Date": "now", "authorization": "AWS4 x=y, z", **more},
        remove_headers=["X-Amz-*", "Cookie"],
    )
    mine = {
        "X-Amz-Date": "then",
        "X-Amz-Secret": "s",
        "Cookie": "c=1",
        "X-Kept": "k",
        "Authorization": "mine",
    }
    async with http.get("/x", headers={**wish, **mine}) as answer:
        assert answer.status == 200
        assert answer.headers["ETag"]
        request_id = answer.headers["X-Request-ID"]
    got = dict(backend.seen[0]["headers"])
    assert (got["host"], got["x-amz-date"], got["authorization"]) == ("bucket.example", "now", "AWS4 x=y, z")
    assert {name: got[name.lower()] for name in more} == more
    assert "x-amz-secret" not in got
    assert "cookie" not in got
    assert got["x-kept"] == "k"
    assert got["x-forwarded-for"] == got["x-real-ip"] == "127.0.0.1"
    assert got["x-request-id"] == request_id
    assert not [name for name in got if name.startswith("x-gw-")]


@pytest.mark.parametrize("also", ["keep-alive", "Upgrade"])
async def test_a_client_cannot_have_our_headers_left_out(
    edge: Edge, backend: Upstream, decide: Decide, also: str
) -> None:
    names = "X-Real-Ip, X-Request-Id, Authorization, X-Set, X-Amz-Meta-A"
    wish = decide("forward", dial=backend.dial, uri="/x", set_headers={"X-Set": "s", "Authorization": "ours"})
    async with raw(edge) as (reader, writer):
        head = f"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: {also}\r\nConnection: {names}\r\n"
        writer.write(f"{head}X-Amz-Meta-A: a\r\n{lines(wish)}\r\n".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    got = dict(backend.seen[0]["headers"])
    assert (got["x-set"], got["authorization"], got["x-amz-meta-a"]) == ("s", "ours", "a")
    assert got["x-real-ip"] == "127.0.0.1"
    assert got["x-request-id"]


@pytest.mark.parametrize("count", [1, 4, 5, 16])
async def test_as_many_headers_as_promised(
    http: Client, backend: Upstream, decide: Decide, count: int
) -> None:
    sets = {f"X-Set-{n}": str(n) for n in range(count)}
    removes = [f"X-Gone-{n}" for n in range(min(count, 8))]
    back = {f"X-Back-{n}": str(n) for n in range(min(count, 4))}
    wish = decide(
        "forward",
        dial=backend.dial,
        uri="/x",
        set_headers=sets,
        remove_headers=removes,
        set_response_headers={**back, "Server": "ours"} if count < 4 else back,
    )
    async with http.get("/x", headers={**wish, **dict.fromkeys(removes, "here")}) as answer:
        assert answer.status == 200
        assert {name: answer.headers[name] for name in back} == back
        if count < 4:
            assert answer.headers.getall("Server") == ["ours"]
    got = dict(backend.seen[0]["headers"])
    assert {name: got[name.lower()] for name in sets} == sets
    assert not [name for name in got if name.startswith("x-gone")]


async def test_a_body_streams_both_ways(http: Client, backend: Upstream, decide: Decide) -> None:
    gate = asyncio.Event()

    async def body():
        yield b"first"
        await gate.wait()
        yield b"second"

    wish = decide("forward", dial=backend.dial, uri="/x")
    sending = asyncio.create_task(http.put("/x", data=body(), headers=wish))
    # the first part is there before the second is sent
    await asyncio.wait_for(backend.bodies_begun.wait(), 30)
    gate.set()
    async with await sending as answer:
        assert (await answer.json())["size"] == 11


async def test_event_streams_are_not_held_back(http: Client, backend: Upstream, decide: Decide) -> None:
    async with http.get("/x", headers=decide("forward", dial=backend.dial, uri="/sse")) as answer:
        assert await answer.content.readline() == b"data: 0\n"  # the backend has not sent the next
        backend.go_on.set()
        assert (await answer.content.read()).count(b"data:") == 2


@pytest.mark.parametrize("patience", ["standard", "process", "long"])
async def test_websockets_pass(http: Client, backend: Upstream, decide: Decide, patience: str) -> None:
    wish = decide("forward", dial=backend.dial, uri="/ws?x=1", patience=patience)
    async with http.ws_connect("/live", headers=wish) as socket:
        await socket.send_str("hello")
        assert await socket.receive_str() == "echo hello"
    assert backend.seen[0]["target"] == "/ws?x=1"


async def test_a_dead_upstream_is_the_deciders_to_explain(http: Client, decide: Decide) -> None:
    wish = decide("forward", dial=f"127.0.0.1:{free_port()}", uri="/x", commit={"journal": 7})
    async with http.put("/x", headers=wish, data=b"body") as answer:
        assert answer.status == 502
        said = await answer.json()
    assert said == {
        "failed": 502,
        "masked": False,
        "commit": {"journal": 7},
        "request_id": answer.headers["X-Request-ID"],
    }


async def test_a_silent_upstream_times_out(http: Client, backend: Upstream, decide: Decide) -> None:
    async with http.get("/x", headers=decide("forward", dial=backend.dial, uri="/stall")) as answer:
        assert answer.status == 504
        assert (await answer.json())["failed"] == 504


async def test_an_upstream_that_breaks_off_is_seen_to(
    http: Client, backend: Upstream, decide: Decide
) -> None:
    async with http.get("/x", headers=decide("forward", dial=backend.dial, uri="/break")) as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_masked_errors_are_thrown_away(http: Client, backend: Upstream, decide: Decide) -> None:
    for status in (404, 500):
        wish = decide("forward", dial=backend.dial, uri=f"/status/{status}", mask_errors=True)
        async with http.get("/x", headers=wish) as answer:
            assert answer.status == status
            assert "X-Backend-Secret" not in answer.headers
            assert len(answer.headers.getall("X-Request-ID")) == 1
            assert await answer.json() == {
                "failed": status,
                "masked": True,
                "commit": None,
                "request_id": answer.headers["X-Request-ID"],
            }
    wish = decide("forward", dial=backend.dial, uri="/status/203", mask_errors=True)
    async with http.get("/x", headers=wish) as answer:
        assert (answer.status, await answer.text()) == (203, "the backend's own words")
        assert answer.headers["X-Backend-Secret"]


@pytest.mark.parametrize("status", [302, 307])
async def test_a_masked_redirect_is_thrown_away(
    http: Client, backend: Upstream, decide: Decide, status: int
) -> None:
    wish = decide("forward", dial=backend.dial, uri=f"/status/{status}", mask_errors=True)
    async with http.get("/x", headers=wish) as answer:
        assert (answer.status, "Location" in answer.headers) == (status, False)
        assert (await answer.json())["failed"] == status


async def test_a_masked_upstream_does_not_speak_for_the_site(
    http: Client, backend: Upstream, decide: Decide
) -> None:
    for mask, names in ((True, set()), (False, {"Set-Cookie", "Access-Control-Allow-Origin", "Location"})):
        wish = decide("forward", dial=backend.dial, uri="/status/200", mask_errors=mask)
        async with http.get("/x", headers=wish) as answer:
            assert answer.status == 200 and answer.headers["X-Backend-Secret"]
            assert names == {"Set-Cookie", "Access-Control-Allow-Origin", "Location"} & answer.headers.keys()


@pytest.mark.parametrize(("patience", "waits"), [("process", True), ("standard", False)])
async def test_a_process_of_ours_is_not_bothered_before_the_body_is_there(
    edge: Edge, backend: Upstream, decide: Decide, patience: str, waits: bool
) -> None:
    wish = decide("forward", dial=backend.dial, uri="/x", patience=patience)
    async with raw(edge) as (reader, writer):
        writer.write(
            f"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n{lines(wish)}\r\nhel".encode()
        )
        if waits:
            await asyncio.sleep(0.5)
            assert not backend.seen
        else:
            await until(lambda: backend.seen)
        writer.write(b"lo")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    assert dict(backend.seen[0]["headers"])["content-length"] == "5"


async def test_memory_stays_flat_while_much_passes(
    edge: Edge, http: Client, backend: Upstream, decide: Decide
) -> None:
    size = 256 << 20

    async def body():
        part = bytes(1 << 20)
        for _ in range(size // len(part)):
            yield part

    before = rss(edge.caddy_pid), rss(edge.decision_pid)
    length = {"Content-Length": str(size)}
    for wish in (decide("forward", dial=backend.dial, uri="/x"), decide("handle")):
        async with http.put("/x", data=body(), headers={**wish, **length}) as answer:
            assert (await answer.json())["size"] == size
    async with http.get("/x", headers=decide("forward", dial=backend.dial, uri=f"/big/{size}")) as answer:
        assert sum([len(part) async for part in answer.content.iter_chunked(1 << 20)]) == size
    grown = rss(edge.caddy_pid) - before[0], rss(edge.decision_pid) - before[1]
    assert max(grown) < 32 << 20


async def test_a_client_that_leaves_frees_the_upstream(
    http: Client, backend: Upstream, decide: Decide
) -> None:
    wish = decide("forward", dial=backend.dial, uri="/big/100000000000")
    async with http.get("/x", headers=wish) as answer:
        await answer.content.readexactly(1000)
        answer.close()
    await asyncio.sleep(0.1)
    async with http.get("/x", headers=decide("forward", dial=backend.dial, uri="/x")) as answer:
        assert answer.status == 200
