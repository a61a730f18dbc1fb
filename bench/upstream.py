"""A remote backend that costs next to nothing: takes any PUT and forgets it, answers any GET from memory.

`python -m bench.upstream PORT`. A GET whose path ends with `big` gets 1 GiB, any other 4 KiB.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import cast

SMALL, BIG = 4 << 10, 1 << 30
PIECE = bytes(1 << 20)
HEAD = 'HTTP/1.1 200 OK\r\nETag: "0123456789abcdef0123456789abcdef"\r\nContent-Type: application/octet-stream\r\n'
LAST_MODIFIED = "Last-Modified: Sun, 01 Nov 2026 00:00:00 GMT\r\n"


def _answer(length: int) -> bytes:
    return f"{HEAD}{LAST_MODIFIED}Content-Length: {length}\r\n\r\n".encode()


_SMALL, _BIG, _DONE = _answer(SMALL) + bytes(SMALL), _answer(BIG), _answer(0)


class Upstream(asyncio.BufferedProtocol):
    """HTTP/1.1 with Content-Length only, which is all that an edge sends here. Bodies are never looked at."""

    def __init__(self) -> None:
        self._buffer = memoryview(bytearray(1 << 20))
        self._head = b""
        self._body = 0  # bytes of the request's body still to come
        self._writable = asyncio.Event()
        self._writable.set()
        self._sending: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def connection_lost(self, error: Exception | None) -> None:
        if self._sending is not None:
            self._sending.cancel()

    def get_buffer(self, hint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, count: int) -> None:
        if self._body:
            self._body -= count
            if self._body == 0:
                self._transport.write(_DONE)
            return
        self._head += bytes(self._buffer[:count])
        head, found, rest = self._head.partition(b"\r\n\r\n")
        if not found:
            return
        self._head = b""
        line, _, fields = head.partition(b"\r\n")
        method, target, _ = line.split(b" ")
        if method == b"GET":
            self._send(target.partition(b"?")[0].endswith(b"big"))
            return
        _, _, length = fields.lower().partition(b"content-length:")
        self._body = int(length.split(b"\r\n", 1)[0] or 0) - len(rest)
        if self._body == 0:
            self._transport.write(_DONE)

    def _send(self, big: bool) -> None:
        if big:
            self._sending = asyncio.get_running_loop().create_task(self._send_big())
        else:
            self._transport.write(_SMALL)

    async def _send_big(self) -> None:
        self._transport.write(_BIG)
        for _ in range(BIG // len(PIECE)):
            await self._writable.wait()
            self._transport.write(PIECE)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(ImportError):
        import uvloop

        uvloop.install()
    asyncio.run(main(int(sys.argv[1])))
