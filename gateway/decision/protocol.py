"""HTTP between the edge and this process: uvicorn's protocol, and a short way for the edge's questions.

A question is a GET without a body, and its answer a few headers; the scope, the cycle and the messages of ASGI would
cost as much as most answers. `uvicorn --http gateway.decision.protocol:EdgeProtocol` serves the questions of a
DecisionApp directly, in one write, and everything else (`/handle`, `/healthz`, another application) as ever.
"""

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.decision.asgi import DecisionApp, Held, Rendered

logger = logging.getLogger(__name__)

MOST_WAITING = 512 << 10
"""Bytes of a body that wait for whoever handles it. Each time he takes them costs the same, however many they are;
uvicorn's own 64 KiB were a fifth of the price of storing a large object."""

_NO_CONTENT = (204, 304)
_DEFECT: Rendered = (500, [], b"")


class EdgeProtocol(HttpToolsProtocol):
    """One connection of the edge. It asks one thing at a time: what it sends before the answer is refused."""

    _asking = False  # a question is being answered
    _leaving = False  # the process stops: the answer under way is the connection's last
    _held: Held | None = None  # answered but for its end: the edge is at what was decided

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._application = self.app if isinstance(self.app, DecisionApp) else None

    def on_message_begin(self) -> None:
        if self._asking:
            self.transport.close()
        self.url, self.headers = b"", []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        question = self._application.question(self.url) if self._application is not None else None
        if question is None:
            url, headers, expects = self.url, self.headers, self.expect_100_continue
            super().on_message_begin()
            self.url, self.expect_100_continue = url, expects
            self.headers.extend(headers)  # the scope holds this very list
            super().on_headers_complete()
            return
        self._asking = True
        task = self.loop.create_task(self._answer(question(self.headers)))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def on_body(self, body: bytes) -> None:
        if self._asking or self.cycle.response_complete:
            return
        self.cycle.body += body
        if len(self.cycle.body) >= MOST_WAITING:
            self.flow.pause_reading()
        self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        if not self._asking:
            super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._release()

    def shutdown(self) -> None:
        if self._held is not None:
            self._held = None  # who closes is we: the edge is still at it
            self.transport.close()
        elif self._asking:
            self._leaving = True
        else:
            super().shutdown()

    async def _answer(self, asked: Any) -> None:
        held: Held | None = None
        try:
            rendered = await asked
            if isinstance(rendered, Held):
                held, rendered = rendered, rendered.head
            answer = _on_the_wire(rendered, leaving=self._leaving)
        except asyncio.CancelledError:
            self.transport.close()
            raise
        except Exception:
            logger.exception("a question of the edge has no answer")
            answer = _on_the_wire(_DEFECT, leaving=self._leaving)
        self._held, self._asking = held, held is not None
        if self.transport.is_closing():
            self._release()
            return
        self.transport.write(answer)
        if self._leaving:
            self._held = None
            self.transport.close()

    def _release(self) -> None:
        """The edge has closed a connection that it held."""
        held, self._held = self._held, None
        if held is not None:
            task = self.loop.create_task(held.released())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)


def _on_the_wire(rendered: Rendered, *, leaving: bool) -> bytes:
    """Head and body. Raises ValueError for a header that would end before its end."""
    status, headers, body = rendered
    lines = [STATUS_LINE[status]]
    measured = status in _NO_CONTENT
    for name, value in headers:
        if b"\n" in value or b"\r" in value or b"\0" in value or b"\n" in name or b"\r" in name:
            raise ValueError(f"{name.decode('latin-1')!r} holds a line's end")
        measured = measured or name == b"content-length"
        lines.append(b"%b: %b\r\n" % (name, value))
    if not measured:
        lines.append(b"content-length: %d\r\n" % len(body))
    lines.append(b"connection: close\r\n\r\n" if leaving else b"\r\n")
    lines.append(body)
    return b"".join(lines)
