"""A decision process whose one decider does what the request's X-Test-Decision header (JSON) says.

Run by uvicorn in the edge's tests: the real ASGI application, wire format and tokens, no database.
"""

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import redis.asyncio

from gateway.decision.asgi import DecisionApp
from gateway.decision.context import DecisionContext
from gateway.decision.database import Database, DatabaseAddress
from gateway.decision.registry import Decider, Receive, Registry, Send
from gateway.decision.snapshot import Snapshot
from gateway.decision.tokens import TokenSigner
from gateway.decision.types import (
    Answer,
    BackendAnswer,
    Decision,
    Failure,
    Forward,
    Handle,
    RequestHead,
    SendFile,
)

COMMITTED: list[dict[str, Any]] = []
RELEASED: list[dict[str, Any]] = []


class FakeDecider(Decider):
    name = "fake"

    def claims(self, head: RequestHead, ctx: DecisionContext) -> bool:
        return head.host not in ("unknown.example", "known.example")

    async def decide(self, head: RequestHead, ctx: DecisionContext) -> Decision:
        said = head.headers.get("x-test-decision")
        if said is None:
            return _json(200, describe(head))
        wish = json.loads(said)
        kind = wish.pop("kind")
        if kind == "answer":
            return Answer(
                wish["status"],
                [tuple(pair) for pair in wish.get("headers", [])],
                wish.get("body", "").encode(),
            )
        if kind == "crash":
            raise RuntimeError("a decider's defect")
        if kind == "committed":
            return _json(200, COMMITTED)
        if kind == "released":
            return _json(200, RELEASED)
        decisions: dict[str, type[Forward | SendFile | Handle]] = {
            "forward": Forward,
            "file": SendFile,
            "handle": Handle,
        }
        return decisions[kind](**wish)

    async def commit(
        self, head: RequestHead, token: Mapping[str, Any], backend: BackendAnswer, ctx: DecisionContext
    ) -> Answer:
        if token.get("crash"):
            raise RuntimeError("a commit's defect")
        said = {"token": dict(token), "status": backend.status, "headers": dict(backend.headers.items())}
        COMMITTED.append(said)
        return Answer(backend.status, [("ETag", backend.headers.get("etag") or "none"), ("X-Committed", "1")])

    async def released(self, token: Mapping[str, Any], ctx: DecisionContext) -> None:
        RELEASED.append(dict(token))

    async def failed(self, head: RequestHead, failure: Failure, ctx: DecisionContext) -> Answer:
        said = {"failed": failure.status, "masked": failure.masked, "commit": failure.token}
        return _json(failure.status, {**said, "request_id": head.request_id})

    async def handle(self, head: RequestHead, receive: Receive, send: Send, ctx: DecisionContext) -> None:
        wish = dict(head.token or {})
        if wish.get("refuse"):
            await _send(send, 403, b"refused")
            return
        if wish.get("crash"):
            raise RuntimeError("a handler's defect")
        digest, size = hashlib.sha256(), 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body = message.get("body", b"")
            size += len(body)
            digest.update(body)
            if not message.get("more_body"):
                break
        said = {"size": size, "sha256": digest.hexdigest(), "head": describe(head), "token": wish}
        await _send(send, 200, json.dumps(said).encode())


def describe(head: RequestHead) -> dict[str, Any]:
    """Everything a decider can see, as JSON."""
    return {
        "method": head.method,
        "raw_target": head.raw_target,
        "raw_path": head.raw_path,
        "raw_query": head.raw_query,
        "host": head.host,
        "port": head.port,
        "local_port": head.local_port,
        "scheme": head.scheme,
        "client_ip": head.client_ip,
        "content_length": head.content_length,
        "request_id": head.request_id,
        "headers": list(head.headers.items()),
        "pid": os.getpid(),
    }


def _json(status: int, said: Any) -> Answer:
    return Answer(status, [("Content-Type", "application/json")], json.dumps(said).encode())


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def open_context() -> AsyncIterator[DecisionContext]:
    await asyncio.sleep(float(os.environ.get("FAKE_START_DELAY", "0")))
    db = Database(DatabaseAddress("127.0.0.1", 1, "none", "none", ""))
    async with aiohttp.ClientSession() as http:
        cache = redis.asyncio.Redis()
        yield DecisionContext(
            snapshot=Snapshot([], db),
            db=db,
            http=http,
            redis=cache,
            settings=None,
            public_hosts=frozenset({"known.example"}),
        )
        await cache.aclose()


registry = Registry()
registry.register(FakeDecider())
app = DecisionApp(registry, open_context, TokenSigner("a test's secret"))
