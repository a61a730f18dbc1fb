"""The ASGI application: MCP at /mcp, the platform's probes at /healthz and /status.

Stateless: no session is kept between requests, so any of several processes could answer and none can be
filled up. A session id is still given to clients of the revisions that know one. It names nothing here but the
requests in flight, so that a `notifications/cancelled`, which such clients send as a request of its own, finds
the one that it means.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.types import Message, Receive, Scope, Send

from gatehouse_workspace.activity import Activity

MAX_BODY = 12 * 1024 * 1024
MAX_IN_FLIGHT = 128
MAX_PEEK = 64 * 1024
OLDEST = HANDSHAKE_PROTOCOL_VERSIONS[0]
LOCAL = TransportSecuritySettings(
    enable_dns_rebinding_protection=True,
    allowed_hosts=["localhost", "localhost:*", "127.0.0.1:*", "[::1]:*"],
    allowed_origins=["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"],
)
"""The gateway rewrites Host to localhost. Anything else is a page in a browser that guessed an address."""

Status = Callable[[], Mapping[str, object]]
Key = tuple[str, str, str]


class Transport:
    """One MCP server over HTTP.

    `status` gives the repository's part of /status. `options` go to the SDK's session manager; a server that
    wants real sessions (the conformance fixtures) passes `stateless_http=False` and gets every request as it is.
    """

    def __init__(self, server: MCPServer[Any], activity: Activity, status: Status, **options: Any) -> None:
        self._activity = activity
        self._status = status
        self._stateless: bool = options.setdefault("stateless_http", True)
        self._streaming = _manager(server, json_response=False, **options)
        self._plain = _manager(server, json_response=True, **options) if self._stateless else self._streaming
        self._running: dict[Key, anyio.CancelScope] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Requests are served inside."""
        async with self._streaming.run():
            if self._plain is self._streaming:
                yield
                return
            async with self._plain.run():
                yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"].rstrip("/")
        if path == "/mcp":
            await self._mcp(scope, receive, send)
        elif path == "/healthz":
            await _answer(send, 200, {"status": "ok"})
        elif path == "/status":
            await _answer(send, 200, {**self._status(), **self._activity.as_json()})
        else:
            await _answer(send, 404, {"error": "Nothing is served at this path; MCP is at /mcp."})

    async def _mcp(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._activity.in_flight >= MAX_IN_FLIGHT:
            await _answer(send, 503, _rpc_error(-32000, "Too many requests at once"), (b"retry-after", b"1"))
            return
        if not self._stateless:
            with self._activity.request():
                await self._streaming.handle_request(scope, receive, send)
            return
        if scope["method"] == "DELETE":  # the end of a session that was only a name
            await _answer(send, 200, {})
            return
        if scope["method"] != "POST":
            await _answer(send, 405, _rpc_error(-32000, "Only POST is served"), (b"allow", b"POST, DELETE"))
            return
        with self._activity.request():
            await self._post(scope, receive, send)

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            await _answer(send, 413, _rpc_error(-32600, f"The request is longer than {MAX_BODY} bytes"))
            return
        headers: dict[bytes, str] = {name: value.decode("latin-1") for name, value in scope["headers"]}
        handshake = headers.get(b"mcp-protocol-version", OLDEST) in HANDSHAKE_PROTOCOL_VERSIONS
        method, request_id = _envelope(body) if handshake and len(body) <= MAX_PEEK else ("", "")
        session = headers.get(b"mcp-session-id", "")
        key = (headers.get(b"x-gatehouse-user", ""), session, request_id)
        if method == "notifications/cancelled" and session and key in self._running:
            self._running[key].cancel()
        elif method == "initialize":
            send = _with_header(send, b"mcp-session-id", secrets.token_urlsafe(18))
        answer = _Answer(send)
        with anyio.CancelScope() as cancel:
            if session and request_id and method != "notifications/cancelled":
                self._running[key] = cancel
            try:
                if handshake and (
                    b'"progressToken"' not in body or "text/event-stream" not in headers.get(b"accept", "")
                ):
                    watch = asyncio.ensure_future(_cancel_when_gone(receive, cancel))
                    try:
                        await self._plain.handle_request(scope, _replay(body, receive), answer)
                    finally:
                        watch.cancel()
                else:  # the SDK watches for the client's end itself
                    await self._streaming.handle_request(scope, _replay(body, receive), answer)
            finally:
                if self._running.get(key) is cancel:
                    del self._running[key]
        if cancel.cancelled_caught:
            await answer.finish()


class _Answer:
    """ASGI `send` that knows how far the answer is, to end one whose work was cancelled."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._started = self._ended = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self._ended = True
        await self._send(message)

    async def finish(self) -> None:
        """To a client that is still there: nothing, as the protocol has it for what was cancelled."""
        if not self._started:
            await self._send(
                {"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]}
            )
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        elif not self._ended:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _manager(server: MCPServer[Any], **options: Any) -> StreamableHTTPSessionManager:
    server.streamable_http_app(max_request_body_size=MAX_BODY, transport_security=LOCAL, **options)
    return server.session_manager


async def _read(receive: Receive) -> bytes | None:
    """The request's body; None for one that is too long."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            break
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


async def _cancel_when_gone(receive: Receive, cancel: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    cancel.cancel()


def _envelope(body: bytes) -> tuple[str, str]:
    """Method and id of a JSON-RPC message; of a cancellation the id that it means. Empty where there is none."""
    try:
        message = json.loads(body)
        method = message.get("method", "")
        found = message["params"]["requestId"] if method == "notifications/cancelled" else message.get("id")
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return "", ""
    return method, json.dumps(found) if isinstance(found, str | int) else ""


def _with_header(send: Send, name: bytes, value: str) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            message = {**message, "headers": [*message.get("headers", ()), (name, value.encode("latin-1"))]}
        await send(message)

    return wrapped


def _rpc_error(code: int, message: str) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}


async def _answer(
    send: Send, status: int, content: Mapping[str, object], *headers: tuple[bytes, bytes]
) -> None:
    body = json.dumps(content, separators=(",", ":")).encode()
    fields = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body, "more_body": False})
