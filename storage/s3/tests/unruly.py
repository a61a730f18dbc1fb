"""A backend that misbehaves on demand: enough of S3 for objects, and every way of not answering as one should."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from datetime import UTC, datetime
from typing import Literal

from aiohttp import web

from storage.s3.text import http_date

Mood = Literal[
    "well",
    "500",
    "503",
    "500 but done",
    "closes",
    "closes but done",
    "truncates",
    "lies",
    "stalls",
    "refuses",
]


class Unruly:
    """The backend `name`. `objects` are by path, /bucket/key: body and when.

    `mood` is for objects' requests from now on; while it is `stalls` nothing is answered at all.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.mood: Mood = "well"
        self.refusal = (400, "EntityTooLarge")
        """Status and code of what it says while it `refuses`."""
        self.port = 0
        self.stalled = 0
        """How many requests wait at it."""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> str:
        """Its endpoint."""
        self._thread.start()
        assert self._ready.wait(60)
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.stalled += 1
        try:
            while self.mood == "stalls":
                await asyncio.sleep(0.05)
        finally:
            self.stalled -= 1
        mood = self.mood
        if path.count("/") < 2 or path.endswith("/"):
            return web.Response()  # all buckets are there
        if request.method == "PUT":
            return await self._put(request, path, mood)
        if request.method == "POST":
            return await self._post(request, path, mood)
        if mood in ("500", "503"):
            return web.Response(status=int(mood))
        if mood == "refuses":
            return self._refused()
        if request.method == "DELETE":
            self.objects.pop(path, None)
            return self._cut(request) if mood == "closes but done" else web.Response(status=204)
        return await self._get(request, path, mood)

    async def _put(self, request: web.Request, path: str, mood: Mood) -> web.StreamResponse:
        body = await request.read()
        if mood in ("well", "lies", "500 but done", "closes but done"):
            self.objects[path] = (body, datetime.now(UTC))
        if mood.startswith(("500", "503")):
            return web.Response(status=int(mood[:3]))
        if mood == "refuses":
            return self._refused()
        if mood.startswith("closes"):
            return self._cut(request)
        tag = "0" * 32 if mood == "lies" else _etag(body)
        return web.Response(headers={"ETag": f'"{tag}"'})

    async def _post(self, request: web.Request, path: str, mood: Mood) -> web.StreamResponse:
        """Uploads of one part. Complete answers in pieces, and with blanks first, as who joins much does."""
        if "uploads" in request.query:
            return web.Response(text="<R><UploadId>their-id</UploadId></R>")
        await request.read()
        if mood == "refuses":
            return self._refused()
        answer = web.StreamResponse()
        await answer.prepare(request)
        for piece in (" ", "\n ", "<R><ETag>&quot;", f"{_etag(self.objects[path][0])}&quot;</ETag></R>"):
            await answer.write(piece.encode())
            await asyncio.sleep(0.03)
        return answer

    async def _get(self, request: web.Request, path: str, mood: Mood) -> web.StreamResponse:
        found = self.objects.get(path)
        if found is None:
            return web.Response(status=404)
        body, at = found
        told = {"ETag": f'"{_etag(body)}"', "Last-Modified": http_date(at), "Content-Length": str(len(body))}
        answer = web.StreamResponse(headers=told)
        await answer.prepare(request)
        if request.method == "GET":
            if mood == "truncates":
                await answer.write(body[: len(body) // 2])
                return self._cut(request)
            await answer.write(body)
        return answer

    def _refused(self) -> web.Response:
        status, code = self.refusal
        return web.Response(status=status, text=f"<Error><Code>{code}</Code></Error>")

    def _cut(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


def _etag(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()
