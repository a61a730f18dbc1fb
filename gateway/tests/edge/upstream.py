"""A small upstream for the edge's tests: says what it received, streams, stalls, fails."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web


@dataclass
class Upstream:
    """Where it listens, and the requests it saw."""

    dial: str
    seen: list[dict[str, Any]] = field(default_factory=list)
    bodies_begun: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    """A stream of events sends its second once this is set."""


async def _serve(request: web.Request, upstream: Upstream) -> web.StreamResponse:
    said: dict[str, Any] = {
        "method": request.method,
        "target": request.raw_path,
        "headers": [(name.lower(), value) for name, value in request.headers.items()],
    }
    upstream.seen.append(said)
    path = request.path
    if path.startswith("/ws"):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                await socket.send_str(f"echo {message.data}")
        return socket
    if path.startswith("/sse"):
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        for number in range(3):
            await stream.write(f"data: {number}\n\n".encode())
            await asyncio.wait_for(upstream.go_on.wait(), 30)
        return stream
    if path.startswith("/stall"):
        await asyncio.sleep(60)
    if path.startswith("/status/"):
        headers = {"X-Backend-Secret": "name", "X-Request-ID": "the-backend-has-its-own"}
        headers |= {"Location": "/away", "Set-Cookie": "a=b", "Access-Control-Allow-Origin": "*"}
        return web.Response(status=int(path.split("/")[2]), text="the backend's own words", headers=headers)
    if path.startswith("/big/"):
        stream = web.StreamResponse(headers={"Content-Length": path.split("/")[2]})
        await stream.prepare(request)
        left = int(path.split("/")[2])
        while left:
            size = min(left, 1 << 18)
            await stream.write(bytes(size))
            left -= size
        return stream
    if path.startswith("/break"):
        stream = web.StreamResponse(headers={"Content-Length": "1000"})
        await stream.prepare(request)
        await stream.write(b"half")
        assert request.transport
        request.transport.abort()
        return stream
    digest, size = hashlib.md5(), 0
    async for chunk in request.content.iter_any():
        upstream.bodies_begun.set()
        digest.update(chunk)
        size += len(chunk)
    said["size"] = size
    headers = {
        "ETag": f'"{digest.hexdigest()}"',
        "X-Amz-Version-Id": "v1",
        "X-Amz-Checksum-CRC32": "AAAAAA==",
        "X-Gw-Action": "forward",
        "Server": "backend",
    }
    return web.json_response(said, headers=headers)


@asynccontextmanager
async def upstream(**site: Any) -> AsyncIterator[Upstream]:
    """Serve on a free loopback port; keyword arguments go to aiohttp's TCPSite."""
    made = Upstream("")
    application = web.Application(client_max_size=1 << 40)

    async def serve(request: web.Request) -> web.StreamResponse:
        return await _serve(request, made)

    application.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0, **site)
    await listener.start()
    made.dial = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
