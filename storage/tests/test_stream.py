"""Bodies that are made while they are sent: how they end, and when nobody is there for them any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from typing import Any

import pytest

from storage.s3 import streaming

Message = MutableMapping[str, Any]


class Client:
    """The other side of a request: leaves after so many messages, or not at all."""

    def __init__(self, leaves_after: int | None = None) -> None:
        self.sent: list[Message] = []
        self._leaves_after = leaves_after
        self._left = asyncio.Event()

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if self._leaves_after is not None and len(self.sent) >= self._leaves_after:
            self._left.set()
        await asyncio.sleep(0)

    async def receive(self) -> Message:
        if not self.sent:
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}


class Body:
    def __init__(self, pieces: int) -> None:
        self.made, self.is_closed, self._pieces = 0, False, pieces

    async def __call__(self) -> AsyncGenerator[bytes, None]:
        try:
            for _ in range(self._pieces):
                self.made += 1
                yield b"x"
        finally:
            self.is_closed = True


async def test_a_body_is_sent_to_its_end() -> None:
    client, body = Client(), Body(5)
    before = asyncio.all_tasks()
    await asyncio.wait_for(streaming.send_body(body(), client.receive, client.send), 30)
    assert [message["body"] for message in client.sent] == [b"x"] * 5 + [b""]
    assert [bool(message.get("more_body")) for message in client.sent] == [True] * 5 + [False]
    await asyncio.sleep(0)
    assert body.is_closed and asyncio.all_tasks() == before


async def test_nothing_is_made_for_a_client_that_left() -> None:
    client, body = Client(leaves_after=3), Body(1000)
    before = asyncio.all_tasks()
    await asyncio.wait_for(streaming.send_body(body(), client.receive, client.send), 30)
    assert body.is_closed and body.made < 10
    assert all(message["more_body"] for message in client.sent)  # the answer is never told to be whole
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_a_body_that_breaks_does_not_look_whole() -> None:
    client = Client()

    async def breaks() -> AsyncGenerator[bytes, None]:
        yield b"x"
        raise OSError

    before = asyncio.all_tasks()
    with pytest.raises(OSError):
        await streaming.send_body(breaks(), client.receive, client.send)
    assert [message["more_body"] for message in client.sent] == [True]
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
