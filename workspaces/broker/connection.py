"""One client's connection, which carries one call: nothing can be smuggled behind it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Coroutine

import h11

from . import routes, upstream
from .refusal import Refusal, forbidden
from .requests import Request, parse_target
from .settings import Settings
from .upstream import READ_BYTES, Answer, Engine, Lost

log = logging.getLogger(__name__)

_HEAD_BYTES = 32 << 10
_BODY_BYTES = 512 << 10
_REQUEST_SECONDS = 30.0
_LINGER_SECONDS = 1.0
_PASSED = ("content-type", "x-docker-container-path-stat", "api-version", "ostype")


class Connection:
    """Reads one request, has it decided, and passes the answer on."""

    def __init__(
        self, settings: Settings, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._settings, self._reader, self._writer = settings, reader, writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_BYTES)

    async def serve(self) -> None:
        """Until the answer is out or either side has gone."""
        asked = "?"
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                head = await self._event()
                if not isinstance(head, h11.Request):
                    return
                asked = f"{head.method.decode()} {head.target.decode('latin-1')[:200]}"
                request = await self._request(head)
            outcome = await routes.decide(self._settings, request)
            await self._carry(outcome)
        except Refusal as e:
            if e.status in (400, 403):
                log.warning("refused: %r: %s", asked, e.message)
            await self._reply(e.status, e.body)
        except Lost as e:
            await self._reply(502, {"message": f"broker: {e}"})
        except h11.RemoteProtocolError as e:
            log.warning("refused: %r: %s", asked, e)
            await self._reply(400, {"message": f"broker: {e}"})
        except (OSError, TimeoutError, _Gone):
            pass
        finally:
            self._writer.close()

    async def _event(self) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            data = await self._reader.read(READ_BYTES)
            self._http.receive_data(data)

    async def _request(self, head: h11.Request) -> Request:
        """Raises Refusal, RemoteProtocolError."""
        names = [name for name, _ in head.headers]
        headers = {name.decode(): value.decode("latin-1").strip().lower() for name, value in head.headers}
        if b"transfer-encoding" in names and b"content-length" in names:
            raise forbidden("both Content-Length and Transfer-Encoding")
        if names.count(b"upgrade") > 1 or headers.get("upgrade", "tcp") != "tcp":
            raise forbidden("this upgrade is not allowed")
        if head.http_version != b"1.1":
            raise forbidden("this is not HTTP/1.1")
        method = head.method.decode()
        version, path, query = parse_target(head.target.decode("latin-1"))
        body = b"" if routes.is_upload(method, path) else await self._body()
        return Request(method, version, path, query, body, "upgrade" in headers)

    async def _body(self) -> bytes:
        parts, size = [], 0
        async for part in self._parts():
            parts.append(part)
            size += len(part)
            if size > _BODY_BYTES:
                raise Refusal(413, f"broker: a body is at most {_BODY_BYTES} bytes")
        return b"".join(parts)

    async def _parts(self) -> AsyncIterator[bytes]:
        while True:
            event = await self._event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return
            else:
                raise _Gone

    async def _carry(self, outcome: routes.Outcome) -> None:
        if isinstance(outcome, routes.Reply):
            await self._reply(outcome.status, outcome.value)
            return
        async with upstream.connected(self._settings.engine) as engine:
            if isinstance(outcome, routes.Hijack):
                await engine.send(outcome.call, upgrade=True)
                await self._hijack(engine, await engine.answer())
            elif isinstance(outcome, routes.Upload):
                await engine.send(outcome.call, stream=True)
                async for part in self._parts():
                    await engine.send_part(part)
                await engine.send_part(b"")
                await self._pass_on(await engine.answer())
            else:
                await engine.send(outcome.call)
                await self._while_there(self._streamed(engine, outcome.call))

    async def _streamed(self, engine: Engine, call: upstream.Call) -> None:
        patient = call.path.endswith(
            ("/images/create", "/events", "/logs")
        )  # answers when there is something
        await self._pass_on(await engine.answer(None if patient else upstream.ANSWER_SECONDS))

    async def _while_there(self, work: Coroutine[None, None, None]) -> None:
        """Do it until the client goes: it has nothing more to say, so whatever is read is its end."""
        doing = asyncio.ensure_future(work)
        listening = asyncio.ensure_future(self._reader.read(1))
        try:
            await asyncio.wait((doing, listening), return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                doing.result()
        finally:
            for task in (doing, listening):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await listening
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await doing

    async def _pass_on(self, answer: Answer) -> None:
        """The engine's answer with the headers that matter. One that breaks off breaks off here too."""
        headers = [(name, answer.headers[name]) for name in _PASSED if name in answer.headers]
        bare = answer.status in (204, 304)
        if not bare:
            headers.append(("Transfer-Encoding", "chunked"))
        await self._send(h11.Response(status_code=answer.status, headers=[*headers, ("Connection", "close")]))
        try:
            async for part in answer.body():
                if not bare:
                    await self._send(h11.Data(data=part))
        except Lost:
            self._writer.transport.abort()
            return
        await self._send(h11.EndOfMessage())

    async def _hijack(self, engine: Engine, answer: Answer) -> None:
        if answer.status != 101:
            await self._pass_on(answer)
            return
        headers = [("Connection", "Upgrade"), ("Upgrade", "tcp")]
        await self._send(h11.InformationalResponse(status_code=101, headers=headers))
        early = self._http.trailing_data[0]
        self._writer.write(engine.trailing())
        engine.writer.write(early)
        to_engine = asyncio.ensure_future(_pump(self._reader, engine.writer))
        try:
            await _pump(engine.reader, self._writer)
        finally:
            to_engine.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await to_engine

    async def _reply(self, status: int, value: object) -> None:
        if self._http.our_state is not h11.SEND_RESPONSE and self._http.our_state is not h11.IDLE:
            self._writer.transport.abort()
            return
        body = json.dumps(value).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
        with contextlib.suppress(OSError, h11.LocalProtocolError):
            await self._send(h11.Response(status_code=status, headers=headers))
            await self._send(h11.Data(data=body))
            await self._send(h11.EndOfMessage())
            await self._linger()

    async def _linger(self) -> None:
        """Closing on bytes that were not read would reset the connection, and the answer in it would be lost."""
        if self._http.their_state in (h11.DONE, h11.CLOSED):
            return
        self._writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while await self._reader.read(READ_BYTES):
                    pass

    async def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)
            await self._writer.drain()


class _Gone(Exception):
    """The client left in the middle of its request."""


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Bytes until the source ends, and its end."""
    with contextlib.suppress(OSError):
        while data := await source.read(READ_BYTES):
            target.write(data)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()
