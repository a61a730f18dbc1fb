"""The short way for the edge's questions, over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway.decision.asgi import DecisionApp
from gateway.decision.context import DecisionContext
from gateway.decision.protocol import EdgeProtocol
from gateway.decision.registry import Decider, Receive, Registry, Send
from gateway.decision.tokens import TokenSigner
from gateway.decision.types import Answer, Decision, Forward, Handle, RequestHead

HEADERS = "Host: h\r\nX-Gw-Head: PUT 1.2.3.4 80 5 {path}\r\nX-Request-Id: abcdefgh\r\n"
Talk = Callable[[str], Awaitable[str]]


class Chosen(Decider):
    name = "chosen"
    asked_slowly = asyncio.Event()
    slow = asyncio.Event()
    told: ClassVar[list[dict[str, Any]]] = []

    def claims(self, head: RequestHead, ctx: DecisionContext) -> bool:
        return True

    async def decide(self, head: RequestHead, ctx: DecisionContext) -> Decision:
        match head.raw_path:
            case "/handled":
                return Handle()
            case "/broken":
                return Answer(200, [("X-Note", "a\r\nb")])
            case "/slow":
                self.asked_slowly.set()
                await self.slow.wait()
            case "/forwarded":
                return Forward("127.0.0.1:1", "/", commit={"n": 1})
            case "/unchanged":
                return Answer(304, [("ETag", '"1"')])
        return Answer(200, [("X-Path", head.raw_path)], b"body")

    async def released(self, token: Mapping[str, Any], ctx: DecisionContext) -> None:
        self.told.append(dict(token))

    async def handle(self, head: RequestHead, receive: Receive, send: Send, ctx: DecisionContext) -> None:
        message = await receive()
        headers = [(b"content-length", str(len(message["body"])).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": message["body"]})


class Ready:
    ready = True


@pytest.fixture
def app() -> DecisionApp:
    registry = Registry()
    registry.register(Chosen())
    nothing = cast("Any", None)
    app = DecisionApp(registry, nothing, TokenSigner("x"))
    app._ctx = DecisionContext(cast("Any", Ready()), nothing, nothing, nothing, nothing)
    return app


@pytest.fixture
def protocols() -> list[EdgeProtocol]:
    return []


@pytest.fixture
async def wire(
    app: DecisionApp, protocols: list[EdgeProtocol], tmp_path: Path
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(app, http=EdgeProtocol, lifespan="off", proxy_headers=False, log_level="warning")
    config.load()
    state = ServerState()

    def made() -> EdgeProtocol:
        protocols.append(EdgeProtocol(config=config, server_state=state, app_state={}))
        return protocols[-1]

    server = await asyncio.get_running_loop().create_unix_server(made, tmp_path / "s")
    reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
    yield reader, writer
    writer.close()
    server.close()


@pytest.fixture
def ask(wire: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> Talk:
    """Send a request and read its answer."""
    reader, writer = wire

    async def talk(request: str) -> str:
        writer.write(request.encode())
        async with asyncio.timeout(30):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            _, found, length = head.partition("content-length: ")
            body = await reader.readexactly(int(length.split("\r\n")[0])) if found else b""
        return head + body.decode()

    return talk


def question(path: str, of: str = "/decide") -> str:
    return f"GET {of} HTTP/1.1\r\n{HEADERS.format(path=path)}\r\n"


async def test_questions_one_after_the_other_on_one_connection(ask: Talk) -> None:
    for path in ("/a", "/b"):
        answer = await ask(question(path))
        assert answer == f"HTTP/1.1 200 OK\r\nx-path: {path}\r\ncontent-length: 4\r\n\r\nbody"


async def test_a_decision_without_a_body_says_so(ask: Talk) -> None:
    answer = await ask(question("/handled"))
    assert "x-gw-action: handle\r\n" in answer
    assert answer.endswith("content-length: 0\r\n\r\n")


async def test_no_length_where_none_may_stand(ask: Talk) -> None:
    assert "content-length" not in await ask(question("/unchanged"))


async def test_handled_requests_and_questions_share_a_connection(ask: Talk) -> None:
    await ask(question("/a"))
    told = HEADERS.format(path="/x") + "Content-Length: 5\r\n\r\nhello"
    assert (await ask(f"PUT /handle/chosen HTTP/1.1\r\n{told}")).endswith("hello")
    assert "x-path: /b" in await ask(question("/b"))
    assert (await ask("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")).startswith("HTTP/1.1 200")


async def test_a_body_that_waits_to_be_asked_for_is_asked_for(ask: Talk) -> None:
    told = HEADERS.format(path="/x") + "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    assert (await ask(f"PUT /handle/chosen HTTP/1.1\r\n{told}")).startswith("HTTP/1.1 100 ")
    assert (await ask("hello")).endswith("hello")


async def test_a_header_cannot_end_the_head(ask: Talk) -> None:
    assert (await ask(question("/broken"))).startswith("HTTP/1.1 500")
    assert "x-path: /a" in await ask(question("/a"))


async def test_what_is_no_question_of_the_edge_is_a_defect(ask: Talk) -> None:
    assert (await ask("GET /decide HTTP/1.1\r\nHost: h\r\n\r\n")).startswith("HTTP/1.1 500")


async def test_an_unready_process_says_so(app: DecisionApp, ask: Talk) -> None:
    app._ctx = None
    assert (await ask(question("/a"))).startswith("HTTP/1.1 503")


async def test_a_stopping_process_answers_before_it_leaves(
    ask: Talk, wire: tuple[asyncio.StreamReader, asyncio.StreamWriter], protocols: list[EdgeProtocol]
) -> None:
    asked = asyncio.ensure_future(ask(question("/slow")))
    await asyncio.wait_for(Chosen.asked_slowly.wait(), 30)
    protocols[0].shutdown()
    Chosen.slow.set()
    assert "connection: close" in await asked
    assert await wire[0].read() == b""


async def test_an_idle_connection_is_closed_at_a_stop(
    ask: Talk, wire: tuple[asyncio.StreamReader, asyncio.StreamWriter], protocols: list[EdgeProtocol]
) -> None:
    await ask(question("/a"))
    protocols[0].shutdown()
    assert await wire[0].read() == b""


Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def forwarded(wire: Wire) -> None:
    """Ask for a Forward with a token; its answer's head is read."""
    reader, writer = wire
    Chosen.told.clear()
    writer.write(question("/forwarded").encode())
    async with asyncio.timeout(30):
        assert b"content-length: 1\r\n" in await reader.readuntil(b"\r\n\r\n")
    assert Chosen.told == []


async def test_the_end_of_a_forward_is_told_by_the_edges_connection(wire: Wire) -> None:
    await forwarded(wire)
    wire[1].close()
    async with asyncio.timeout(30):
        while not Chosen.told:
            await asyncio.sleep(0.01)
    assert Chosen.told == [{"n": 1}]


async def test_a_stop_of_ours_is_not_the_end(wire: Wire, protocols: list[EdgeProtocol]) -> None:
    await forwarded(wire)
    protocols[0].shutdown()
    async with asyncio.timeout(30):
        assert await wire[0].read() == b""
    await asyncio.sleep(0)
    assert Chosen.told == []
