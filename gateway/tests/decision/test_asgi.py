"""The decision process as an ASGI application, without a server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from gateway.decision import asgi
from gateway.decision.asgi import DecisionApp
from gateway.decision.context import DecisionContext
from gateway.decision.database import DatabaseBusy
from gateway.decision.registry import Decider, Receive, Registry, Send
from gateway.decision.snapshot import SnapshotPart
from gateway.decision.tokens import TokenSigner
from gateway.decision.types import Answer, Decision, Failure, RequestHead

HEADERS = [(b"host", b"h"), (b"x-gw-head", b"PUT 1.2.3.4 80 5 /x"), (b"x-request-id", b"abcdefgh")]


class Busy(Decider):
    name = "busy"

    def claims(self, head: RequestHead, ctx: DecisionContext) -> bool:
        return True

    async def decide(self, head: RequestHead, ctx: DecisionContext) -> Decision:
        raise DatabaseBusy("all in use")

    async def failed(self, head: RequestHead, failure: Failure, ctx: DecisionContext) -> Answer:
        raise RuntimeError("a defect in saying so")

    async def handle(self, head: RequestHead, receive: Receive, send: Send, ctx: DecisionContext) -> None:
        message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message["type"].encode()})


class Ready:
    ready = True


async def ask(app: DecisionApp, path: str, receive: Any = None) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "path": path, "headers": HEADERS}, receive, send)
    return sent


@pytest.fixture
def app() -> DecisionApp:
    registry = Registry()
    registry.register(Busy())
    nothing = cast("Any", None)
    context = DecisionContext(cast("Any", Ready()), nothing, nothing, nothing, nothing)

    @asynccontextmanager
    async def open_context() -> AsyncIterator[DecisionContext]:
        yield context

    made = DecisionApp(registry, open_context, TokenSigner("x"))
    made._ctx = context
    return made


async def test_a_busy_database_is_503_even_when_the_decider_cannot_say_so(app: DecisionApp) -> None:
    start, body = await ask(app, "/decide")
    assert start["status"] == 503
    assert b"abcdefgh" in body["body"]


async def test_before_the_snapshot_is_there_nothing_is_decided(app: DecisionApp) -> None:
    app._ctx = None
    for path in ("/decide", "/handle/busy", "/healthz"):
        assert (await ask(app, path))[0]["status"] == 503


async def test_what_the_edge_never_asks_is_not_found(app: DecisionApp) -> None:
    for path in ("/", "/decide/", "/x"):
        assert (await ask(app, path))[0]["status"] == 404
    with pytest.raises(LookupError):
        await ask(app, "/handle/nobody")


async def test_a_stalled_body_is_a_client_that_left(
    app: DecisionApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "BODY_STALL_SECONDS", 0.01)

    async def never() -> Any:
        await asyncio.sleep(60)

    _, body = await ask(app, "/handle/busy", never)
    assert body["body"] == b"http.disconnect"


async def test_an_answer_before_the_bodys_end_closes_the_connection(
    app: DecisionApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "FINISH_SECONDS", 0.01)

    async def first_part() -> Any:
        return {"type": "http.request", "body": b"12", "more_body": True}

    start, _ = await ask(app, "/handle/busy", first_part)
    assert (b"connection", b"close") in start["headers"]


async def test_an_early_answer_waits_for_the_client_to_have_said_all(app: DecisionApp) -> None:
    parts = iter([b"1", b"2", b""])

    async def receive() -> Any:
        part = next(parts)
        return {"type": "http.request", "body": part, "more_body": bool(part)}

    start, _ = await ask(app, "/handle/busy", receive)
    assert (b"connection", b"close") not in start["headers"]
    assert list(parts) == []


async def test_lifespan_opens_and_closes_the_context(app: DecisionApp) -> None:
    app._ctx = None
    messages = iter(["lifespan.startup", "lifespan.shutdown"])
    sent: list[str] = []

    async def receive() -> Any:
        if sent:
            assert app._ctx is not None
        return {"type": next(messages)}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await app({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert app._ctx is None


def test_names_are_taken_once() -> None:
    registry = Registry()
    registry.register(Busy())
    with pytest.raises(ValueError, match="busy"):
        registry.register(Busy())

    async def load(conn: Any) -> int:
        return 1

    part = SnapshotPart("a", {"t"}, load)
    registry.register_part(part)
    registry.register_part(part)
    with pytest.raises(ValueError, match="a"):
        registry.register_part(SnapshotPart("a", {"t"}, load))
