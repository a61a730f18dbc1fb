"""The runner's HTTP API, on a socket that only the platform's own account can open.

    GET    /availability                     {"ok", "reason", "not_isolated"}
    GET    /instances                        [observed, …]
    GET    /instances/{key}                  observed
    PUT    /instances/{key}                  {"spec": …, "running": bool} → observed
    DELETE /instances/{key}?volumes=1
    GET    /instances/{key}/usage
    GET    /instances/{key}/logs?tail=&follow=1   lines; those that follow and /events have a NUL as a line now and then
    GET    /instances/{key}/volume           tar stream;  PUT replaces it
    GET    /instances/{key}/volume/size      {"bytes"}
    GET    /stored                           [key, …]
    GET    /events                           a line per change: the key
    WS     /instances/{key}/terminal         first a text {"command", "columns", "rows"}; then bytes both ways, and
                                             texts {"columns", "rows"} for another size

Errors: 404 NotThere, 422 Refused, 503 Unavailable, each {"error": text}; close code 4404, 4422, 4503 of a WebSocket.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

from workspaces.providers.base import (
    Limits,
    NotThere,
    Observed,
    ProviderError,
    Refused,
    Spec,
    Unavailable,
    Volume,
)
from workspaces.runner import confinement
from workspaces.runner.instances import Instances
from workspaces.runner.journal import Follower

log = logging.getLogger(__name__)

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_LONGEST_BODY = 4 << 20
_BEAT_SECONDS = 1.0
_BEAT = b"\0\n"
"""So that a reader sees that we live, and we that it is gone."""
_STATUS: dict[type[ProviderError], int] = {NotThere: 404, Refused: 422, Unavailable: 503}
_ALL: Message = {"type": "http.response.body", "body": b"", "more_body": False}


class Api:
    """The ASGI application."""

    def __init__(self, instances: Instances) -> None:
        self._instances = instances

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._terminal(scope, receive, send)
        elif scope["type"] == "http":
            answer = _Answer(send)
            try:
                await self._http(scope, receive, answer)
            except ProviderError as error:
                await answer.json({"error": str(error)}, _STATUS[type(error)])
            except (ValueError, KeyError, TypeError) as error:
                log.exception("a question was not understood")
                await answer.json({"error": f"The runner does not understand: {error!r}"}, 422)

    async def _http(self, scope: dict[str, Any], receive: Receive, answer: _Answer) -> None:
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        match scope["method"], scope["path"].strip("/").split("/"):
            case "GET", ["availability"]:
                ok, reason = await self._instances.means.available()
                told = list(confinement.not_isolated())
                await answer.json({"ok": ok, "reason": reason, "not_isolated": told})
            case "GET", ["instances"]:
                await answer.json([_told(one) for one in self._instances.every()])
            case "GET", ["instances", key]:
                await answer.json(_told(self._instances.observe(key)))
            case "PUT", ["instances", key]:
                said = json.loads(await _body(receive))
                spec = _spec(said["spec"])
                if spec.key != key:
                    raise Refused("The key is another one.")
                await answer.json(_told(await self._instances.ensure(spec, running=said["running"])))
            case "DELETE", ["instances", key]:
                await self._instances.remove(key, volumes=query.get("volumes") == "1")
                await answer.json({})
            case "GET", ["instances", key, "usage"]:
                await answer.json(asdict(await self._instances.usage(key)))
            case "GET", ["instances", key, "logs"]:
                lines = self._logs(key, int(query.get("tail", "200")), follow=query.get("follow") == "1")
                await answer.stream(lines, receive)
            case "GET", ["instances", key, "volume"]:
                await answer.stream(self._instances.export(key), receive)
            case "PUT", ["instances", key, "volume"]:
                await self._instances.restore(key, _chunks(receive))
                await answer.json({})
            case "GET", ["instances", key, "volume", "size"]:
                await answer.json({"bytes": await self._instances.volumes.size(key)})
            case "GET", ["stored"]:
                await answer.json(self._instances.volumes.keys())
            case "GET", ["events"]:
                await answer.stream(self._events(), receive)
            case _:
                raise NotThere("There is no such thing here.")

    async def _logs(self, key: str, tail: int, *, follow: bool) -> AsyncIterator[bytes]:
        journal = self._instances.journal(key)
        follower = journal.follow()
        try:
            yield b"".join(journal.tail(tail))
            if not (follow and self._instances.running(key)):
                return
            while data := await self._next(follower):
                yield data
        finally:
            journal.leave(follower)

    async def _next(self, follower: Follower) -> bytes:
        try:
            async with asyncio.timeout(_BEAT_SECONDS):
                return await follower.next()
        except TimeoutError:
            return _BEAT

    async def _events(self) -> AsyncIterator[bytes]:
        queue = self._instances.news.listen()
        try:
            yield _BEAT
            while True:
                try:
                    async with asyncio.timeout(_BEAT_SECONDS):
                        key = await queue.get()
                except TimeoutError:
                    yield _BEAT
                    continue
                if not key:
                    return
                yield f"{key}\n".encode()
        finally:
            self._instances.news.leave(queue)

    async def _terminal(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        try:
            match scope["path"].strip("/").split("/"):
                case ["instances", key, "terminal"]:
                    said = json.loads((await receive())["text"])
                    command = tuple(map(str, said["command"]))
                    size = int(said["columns"]), int(said["rows"])
                    terminal = await self._instances.terminal(key, command, *size)
                case _:
                    raise NotThere("There is no such thing here.")
        except ProviderError as error:
            await send(
                {"type": "websocket.close", "code": 4000 + _STATUS[type(error)], "reason": str(error)[:120]}
            )
            return
        except (ValueError, KeyError, TypeError):
            await send({"type": "websocket.close", "code": 4422, "reason": "The runner does not understand."})
            return

        async def show() -> None:
            await send({"type": "websocket.send", "text": "{}"})
            while data := await terminal.read():
                await send({"type": "websocket.send", "bytes": data})
            await send({"type": "websocket.close", "code": 1000})

        shown = asyncio.create_task(show())
        try:
            while (message := await receive())["type"] == "websocket.receive":
                if message.get("bytes"):
                    await terminal.write(message["bytes"])
                elif message.get("text"):
                    size = json.loads(message["text"])
                    terminal.resize(int(size["columns"]), int(size["rows"]))
        finally:
            terminal.close()
            shown.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await shown


class _Answer:
    """What is sent for one request."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False

    async def json(self, content: object, status: int = 200) -> None:
        """After a stream has begun, an error can only be told by its not ending well."""
        if self._begun:
            raise ConnectionAbortedError(str(content))
        await self._begin(status, b"application/json")
        await self._send({**_ALL, "body": json.dumps(content).encode()})

    async def stream(self, parts: AsyncIterator[bytes], receive: Receive) -> None:
        """Send parts as they come, until their end or the reader's. The first decides whether there is an error."""
        gone = asyncio.create_task(_until_gone(receive))
        try:
            while True:
                part = asyncio.ensure_future(anext(parts, None))
                await asyncio.wait({part, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not part.done():
                    part.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await part
                    return
                data = part.result()
                if not self._begun:
                    await self._begin(200, b"application/octet-stream")
                if data is None:
                    await self._send(_ALL)
                    return
                if data:
                    await self._send({**_ALL, "body": data, "more_body": True})
        finally:
            gone.cancel()
            await parts.aclose()  # type: ignore[attr-defined]

    async def _begin(self, status: int, kind: bytes) -> None:
        self._begun = True
        head = [(b"content-type", kind)]
        await self._send({"type": "http.response.start", "status": status, "headers": head})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    """A request's body as it comes. Raises Unavailable where the sender goes away in the middle."""
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Unavailable("The sender went away.")
        if message.get("body"):
            yield message["body"]
        more = message.get("more_body", False)


async def _body(receive: Receive) -> bytes:
    parts, size = [], 0
    async for part in _chunks(receive):
        size += len(part)
        if size > _LONGEST_BODY:
            raise Refused("The specification is too long.")
        parts.append(part)
    return b"".join(parts)


def _told(seen: Observed) -> dict[str, Any]:
    told = asdict(seen)
    told["started_at"] = None if seen.started_at is None else seen.started_at.isoformat()
    return told


def _spec(said: dict[str, Any]) -> Spec:
    """Raises KeyError, TypeError for what is none."""
    return Spec(
        **{
            **said,
            "limits": Limits(**said["limits"]),
            "command": tuple(said["command"]),
            "volumes": tuple(Volume(**volume) for volume in said["volumes"]),
            "ports": tuple(said["ports"]),
        }
    )
