"""A sandbox's way out: an HTTP proxy (RFC 9110, section 9.3.6 CONNECT; RFC 9112, section 3.2.2) on its socket."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

from workspaces.runner.destinations import Denied, Destinations, NotFound
from workspaces.runner.relay import Streams, Traffic, join

LONGEST_HEAD = 16 * 1024
MOST_CONNECTIONS = 128
"""Of one sandbox at once."""
MOST_LOOKUPS = 2
"""Of one sandbox at once: a name server that never answers takes threads that all sandboxes share."""
IDLE_SECONDS = 300.0
_HEAD_SECONDS = 10.0
_CONNECT_SECONDS = 10.0


class Egress:
    """The proxy of one sandbox."""

    def __init__(self, destinations: Destinations) -> None:
        self.traffic = Traffic()
        self._destinations = destinations
        self._open = 0
        self._lookups = asyncio.Semaphore(MOST_LOOKUPS)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from the sandbox, to its end."""
        inner = Streams(reader, writer)
        try:
            if self._open >= MOST_CONNECTIONS:
                await _answer(writer, 503, "Too many connections are open.")
                return
            self._open += 1
            try:
                await self._proxy(inner)
            finally:
                self._open -= 1
        except (OSError, asyncio.IncompleteReadError):
            pass  # the sandbox went away
        finally:
            inner.close()

    async def _proxy(self, inner: Streams) -> None:
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await inner.reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            await _answer(inner.writer, 431, "The head is too long.")
            return
        try:
            host, port, first = _understood(head)
        except ValueError:
            await _answer(inner.writer, 400, "This is an HTTP proxy: CONNECT host:port, or GET http://…")
            return
        try:
            async with self._lookups:
                addresses = await self._destinations.find(host, port)
        except Denied as error:
            await _answer(inner.writer, 403, str(error))
            return
        except NotFound as error:
            await _answer(inner.writer, 502, str(error))
            return
        outer = await _dial(addresses, port)
        if outer is None:
            await _answer(inner.writer, 502, f"{host} does not answer at port {port}.")
            return
        try:
            if first:
                outer.writer.write(first)
                self.traffic.sent += len(first)
            else:
                inner.writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await join(inner, outer, IDLE_SECONDS, self.traffic)
        finally:
            outer.close()


async def _dial(addresses: list[str], port: int) -> Streams | None:
    """A connection to the first address that takes one: to what was judged, not to a name that may mean another."""
    for address in addresses:
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_CONNECT_SECONDS):
                return Streams(*await asyncio.open_connection(address, port, limit=LONGEST_HEAD))
    return None


def _understood(head: bytes) -> tuple[str, int, bytes]:
    """Host, port, and what of the head goes on (nothing for CONNECT). Raises ValueError."""
    lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, version = lines[0].split(" ")
    if not version.startswith("HTTP/1.") or not method.isalpha():
        raise ValueError(version)
    if method == "CONNECT":
        parts = urlsplit(f"//{target}")
        if parts.port is None or not parts.hostname or parts.path or parts.query:
            raise ValueError(target)
        return parts.hostname, parts.port, b""
    parts = urlsplit(target)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(target)
    path = target[len("http://") + len(parts.netloc) :]
    path = path if path.startswith("/") else f"/{path}"
    kept = [line for line in lines[1:] if not _of_hop(line)]
    host = [] if any(line.lower().startswith("host:") for line in kept) else [f"Host: {parts.netloc}"]
    # One request a connection: the next one could name another host.
    told = [f"{method} {path.partition('#')[0]} {version}", *host, *kept, "Connection: close", "", ""]
    return parts.hostname, parts.port or 80, "\r\n".join(told).encode("latin-1")


def _of_hop(line: str) -> bool:
    name = line.partition(":")[0].strip().lower()
    return name in ("connection", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade")


async def _answer(writer: asyncio.StreamWriter, status: int, text: str) -> None:
    body = f"gatehouse: {text}\n".encode()
    writer.write(
        f"HTTP/1.1 {status} Refused\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        + body
    )
    await writer.drain()
