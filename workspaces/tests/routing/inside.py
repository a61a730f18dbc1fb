"""What stands in a workspace's or a service's place: it tells what reached it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web
from multidict import CIMultiDict

SITE_WIDE = {
    "Set-Cookie": "app=1; Path=/",
    "Clear-Site-Data": '"*"',
    "Strict-Transport-Security": "max-age=1",
    "Access-Control-Allow-Origin": "*",
    "Service-Worker-Allowed": "/",
    "Content-Security-Policy": "default-src *",
}
COOKIES = CIMultiDict(
    ("Set-Cookie", each)
    for each in (
        "app=1; Path=/",
        "gatehouse_session_8080=mine; Path=/; HttpOnly",
        "GATEHOUSE_session_8080=mine",
        "__Host-gatehouse_session_8443=mine; Secure; Path=/",
        " =gatehouse_session_8080=mine",
        "a=gatehouse_session",
    )
)
SHOWN = {"/wide": SITE_WIDE, "/cookies": COOKIES}


async def told(request: web.Request) -> web.StreamResponse:
    """The request as it came, or what its path asks for."""
    if request.path == "/socket":
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                await socket.send_str(f"back: {message.data}")
        return socket
    if request.path == "/events":
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        for number in range(3):
            await stream.write(f"data: {number}\n\n".encode())
            await asyncio.sleep(0.02)
        return stream
    if request.path == "/elsewhere":
        return web.Response(status=302, headers={"Location": "/else"})
    said: dict[str, Any] = {
        "method": request.method,
        "target": request.raw_path,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "body": (await request.read()).decode("latin-1"),
    }
    return web.json_response(said, headers=SHOWN.get(request.path, {}))


class Inside:
    """The server on sockets of a folder, and on a TCP port, in a thread."""

    def __init__(self, folder: Path, *ports: int) -> None:
        self.address = str(folder)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runner = web.AppRunner(self._application())
        self.tcp_port = self._do(self._serve(folder, ports))

    def stop(self) -> None:
        self._do(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _application(self) -> web.Application:
        made = web.Application()
        made.router.add_route("*", "/{any:.*}", told)
        return made

    async def _serve(self, folder: Path, ports: tuple[int, ...]) -> int:
        await self._runner.setup()
        for port in ports:
            await web.UnixSite(self._runner, str(folder / f"p{port}.sock")).start()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[-1][1])

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)
