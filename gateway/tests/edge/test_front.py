"""The plain listener before Caddy: nothing is lost, nothing is kept, the client's address arrives."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from gateway.edge.front import Front
from gateway.edge.listening import Address, listen

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
BIG = os.urandom(8 << 20)


class Behind:
    """What stands in Caddy's place: it reads the PROXY line, then does as told."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.lines: list[bytes] = []
        self._server: asyncio.Server | None = None

    async def start(self, serve: Serve) -> None:
        async def each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.lines.append(await reader.readline())
            with contextlib.suppress(ConnectionError):
                await serve(reader, writer)
            writer.close()

        self._server = await asyncio.start_unix_server(each, self.path)

    def stop(self) -> None:
        if self._server:
            self._server.close()


@pytest.fixture
async def behind(tmp_path: Path) -> AsyncIterator[Behind]:
    found = Behind(tmp_path / "plain.sock")
    yield found
    found.stop()


@pytest.fixture
async def front(behind: Behind) -> AsyncIterator[tuple[Front, int]]:
    listener = listen(Address("127.0.0.1", 0))
    found = Front(asyncio.get_running_loop(), [listener], behind.path)
    yield found, listener.getsockname()[1]
    found.stop()
    for relay in list(found.relays):
        relay.close()


async def test_bytes_pass_both_ways_and_the_address_comes_first(
    behind: Behind, front: tuple[Front, int]
) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(len(BIG)))
        await writer.drain()

    await behind.start(echo)
    reader, writer = await asyncio.open_connection("127.0.0.1", front[1])
    source = writer.get_extra_info("sockname")
    writer.write(BIG)
    back = await reader.read(-1)
    assert hashlib.sha256(back).digest() == hashlib.sha256(BIG).digest()
    assert behind.lines == [f"PROXY TCP4 127.0.0.1 127.0.0.1 {source[1]} {front[1]}\r\n".encode()]
    writer.close()


async def test_a_side_that_does_not_read_stops_the_other(behind: Behind, front: tuple[Front, int]) -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        for _ in range(1024):
            writer.write(bytes(64 << 10))
            await writer.drain()
            sent += 64 << 10

    await behind.start(flood)
    client = socket.create_connection(("127.0.0.1", front[1]))
    client.sendall(b"x")
    await asyncio.sleep(0.5)
    stalled = sent
    await asyncio.sleep(0.3)
    assert sent == stalled < 16 << 20
    client.close()


async def test_the_end_of_a_request_is_passed_on(behind: Behind, front: tuple[Front, int]) -> None:
    async def until_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(str(len(await reader.read(-1))).encode())

    await behind.start(until_end)
    reader, writer = await asyncio.open_connection("127.0.0.1", front[1])
    writer.write(bytes(1000))
    writer.write_eof()
    assert await reader.read(-1) == b"1000"
    writer.close()


async def test_an_early_answer_reaches_a_client_that_still_sends(
    behind: Behind, front: tuple[Front, int]
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n")

    await behind.start(refuse)
    reader, writer = await asyncio.open_connection("127.0.0.1", front[1])
    for _ in range(20):
        writer.write(bytes(64 << 10))
        await asyncio.sleep(0.005)
    assert (await reader.read(-1)).startswith(b"HTTP/1.1 403")
    writer.close()


async def test_a_client_waits_while_caddy_restarts(behind: Behind, front: tuple[Front, int]) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(5))

    reader, writer = await asyncio.open_connection("127.0.0.1", front[1])
    writer.write(b"hello")
    await asyncio.sleep(0.3)
    await behind.start(greet)
    assert await asyncio.wait_for(reader.read(-1), 5) == b"hello"
    writer.close()


async def test_connections_end_without_a_trace(behind: Behind, front: tuple[Front, int]) -> None:
    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    await behind.start(hold)
    clients = [socket.create_connection(("127.0.0.1", front[1])) for _ in range(50)]
    await asyncio.sleep(0.1)
    assert len(front[0].relays) == 50
    for client in clients:
        client.close()
    for _ in range(50):
        await asyncio.sleep(0.05)
        if not front[0].relays:
            break
    assert not front[0].relays


@pytest.fixture
async def ended(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the front, an answer and then the end, as Caddy ends what does not move."""
    monkeypatch.setattr("gateway.edge.relay._STALL_SECONDS", 0.5)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(BIG)
        writer.write_eof()
        await writer.drain()

    await behind.start(answer)


async def test_a_client_that_takes_nothing_of_an_answer_is_let_go(
    ended: None, front: tuple[Front, int]
) -> None:
    client = socket.create_connection(("127.0.0.1", front[1]))
    client.send(b"x")
    await asyncio.sleep(0.2)
    assert front[0].relays
    await asyncio.sleep(0.8)
    assert not front[0].relays
    client.close()


async def test_a_client_that_takes_an_answer_slowly_gets_all_of_it(
    ended: None, front: tuple[Front, int]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", front[1], limit=64 << 10)
    writer.write(b"x")
    taken = 0
    while taken < len(BIG):
        taken += len(await reader.readexactly(1 << 20))
        await asyncio.sleep(0.2)
    assert await reader.read() == b""
    writer.close()


async def test_metadata_comes_back_in_lower_case_for_botocore_alone(
    behind: Behind, front: tuple[Front, int]
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX-Amz-Meta-X: y\r\nContent-Length: 0\r\n\r\n")

    await behind.start(answer)
    found = []
    for agent in (b"Boto3/1 Botocore/1", b"rclone"):
        reader, writer = await asyncio.open_connection("127.0.0.1", front[1])
        writer.write(b"HEAD /b/k HTTP/1.1\r\nUser-Agent: " + agent + b"\r\n\r\n")
        found.append(b"x-amz-meta-x: y" in await reader.read(-1))
        writer.close()
    assert found == [True, False]
