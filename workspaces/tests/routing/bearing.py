"""A proxy that adds the caller's key, for programs that cannot be told of one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length", "upgrade")


@contextmanager
def bearing(base: str, key: str) -> Iterator[int]:
    """The port of a proxy before `base`. Host, path and streams pass as they are."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def do(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    runner, session, port = do(_start(base, key))
    try:
        yield port
    finally:
        do(session.close())
        do(runner.cleanup())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


async def _start(base: str, key: str) -> tuple[web.AppRunner, aiohttp.ClientSession, int]:
    session = aiohttp.ClientSession(
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None),
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
    )

    async def pass_on(request: web.Request) -> web.StreamResponse:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP]
        headers.append(("Authorization", f"Bearer {key}"))
        url = URL(base + request.raw_path, encoded=True)
        body = await request.read()
        async with session.request(
            request.method, url, headers=headers, data=body or None, allow_redirects=False
        ) as answer:
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP]
            said = web.StreamResponse(status=answer.status, headers=kept)
            if "Content-Length" in answer.headers:
                said.content_length = int(answer.headers["Content-Length"])
            await said.prepare(request)
            with suppress(ConnectionError):  # the client had enough
                async for part in answer.content.iter_any():
                    await said.write(part)
                await said.write_eof()
            return said

    application = web.Application(client_max_size=32 << 20)
    application.router.add_route("*", "/{any:.*}", pass_on)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, session, int(runner.addresses[0][1])
