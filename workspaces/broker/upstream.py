"""Asking the engine: one connection per call, over its socket."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import h11

from .refusal import Refusal

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 120.0
"""For answers that do not stream; the longest is a stop, which waits for the container."""
READ_BYTES = 256 << 10
_MOST_BYTES = 64 << 20


class Lost(Exception):
    """The engine ended the connection in the middle of something."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request as the engine gets it. `path` begins with the version, `body` is what we built."""

    method: str
    path: str
    query: Mapping[str, str | int]
    body: dict[str, Any] | None = None

    @property
    def target(self) -> str:
        return self.path + (f"?{urlencode(self.query)}" if self.query else "")


class Answer:
    """The head of the engine's answer, and its body as it comes."""

    def __init__(self, engine: Engine, head: h11.Response | h11.InformationalResponse) -> None:
        self._engine = engine
        self.status = head.status_code
        self.headers = {name.decode().lower(): value.decode() for name, value in head.headers}

    async def body(self) -> AsyncIterator[bytes]:
        """Raises Lost."""
        while True:
            event = await self._engine.event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return
            else:
                raise Lost("the engine ended its answer early")

    async def json(self) -> Any:
        """The whole body, at most 64 MiB. Raises Lost, Refusal."""
        parts, size = [], 0
        async for part in self.body():
            parts.append(part)
            size += len(part)
            if size > _MOST_BYTES:
                raise Refusal(502, "broker: the engine's answer is too long")
        try:
            return json.loads(b"".join(parts) or b"null")
        except ValueError as e:
            raise Refusal(502, "broker: the engine's answer is no JSON") from e


class Engine:
    """A connection to the engine for one call."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=64 << 10)

    async def event(self) -> Any:
        """The next event of h11. Raises Lost."""
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as e:
                raise Lost(f"the engine's answer cannot be read: {e}") from e
            if event is not h11.NEED_DATA:
                return event
            try:
                self._http.receive_data(await self.reader.read(READ_BYTES))
            except OSError as e:
                raise Lost("the engine ended the connection") from e

    async def send(self, call: Call, *, upgrade: bool = False, stream: bool = False) -> None:
        """The head and, unless it is to `stream`, the body. Raises Lost."""
        body = b"" if call.body is None else json.dumps(call.body).encode()
        headers = [("Host", "docker"), ("Connection", "Upgrade" if upgrade else "close")]
        if upgrade:
            headers.append(("Upgrade", "tcp"))
        if stream:
            headers += [("Content-Type", "application/x-tar"), ("Transfer-Encoding", "chunked")]
        else:
            headers.append(("Content-Length", str(len(body))))
            if call.body is not None:
                headers.append(("Content-Type", "application/json"))
        await self._write(h11.Request(method=call.method, target=call.target, headers=headers))
        if not stream:
            await self._write(h11.Data(data=body))
            await self._write(h11.EndOfMessage())

    async def send_part(self, data: bytes) -> None:
        """Of a streamed body; an empty one is its end. Raises Lost."""
        await self._write(h11.Data(data=data) if data else h11.EndOfMessage())

    async def answer(self, limit: float | None = ANSWER_SECONDS) -> Answer:
        """Raises Lost, Refusal where it takes too long."""
        try:
            async with asyncio.timeout(limit):
                event = await self.event()
        except TimeoutError as e:
            raise Refusal(504, "broker: the engine did not answer in time") from e
        if not isinstance(event, h11.Response | h11.InformationalResponse):
            raise Lost("the engine ended the connection without an answer")
        return Answer(self, event)

    def trailing(self) -> bytes:
        """What came after the head of an answer that switched protocols."""
        return self._http.trailing_data[0]

    async def _write(self, event: Any) -> None:
        data = self._http.send(event)
        if data:
            try:
                self.writer.write(data)
                await self.writer.drain()
            except OSError as e:
                raise Lost("the engine ended the connection") from e


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[Engine]:
    """Raises Refusal (503) with words for an administrator where the engine cannot be reached."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path, limit=READ_BYTES)
    except (OSError, TimeoutError) as e:
        absent = isinstance(e, FileNotFoundError | PermissionError)
        raise Refusal(503, why_not(path, e), absent=absent) from e
    try:
        yield Engine(reader, writer)
    finally:
        writer.close()


async def ask(path: Path, call: Call) -> tuple[int, Any]:
    """Status and JSON of a call that does not stream. Raises Refusal, Lost."""
    async with connected(path) as engine:
        await engine.send(call)
        answer = await engine.answer()
        return answer.status, await answer.json()


def why_not(path: Path, error: BaseException) -> str:
    """Why the engine's socket cannot be used, and what to do."""
    if isinstance(error, FileNotFoundError):
        return f"There is no container engine: {path} is not there."
    if isinstance(error, PermissionError):
        group = _group(path)
        return (
            f"The container engine's socket {path} may not be used by this user: it belongs to the group {group}. "
            "Add the user to it and start the platform again."
        )
    if isinstance(error, ConnectionRefusedError):
        return f"The container engine does not run: nobody listens on {path}."
    return f"The container engine does not answer on {path}."


def _group(path: Path) -> str:
    try:
        return path.group()
    except (OSError, KeyError):
        try:
            return str(os.stat(path).st_gid)  # noqa: PTH116
        except OSError:
            return "of its owner"
