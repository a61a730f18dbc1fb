"""The plain listener before Caddy: nothing is lost, nothing is kept, the client's address arrives."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from gateway.edge.front import Front
from gateway.edge.listening import Address, listen

from .conftest import until

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
    stalled = -1
    while sent != stalled or not sent:
        stalled = sent
        await asyncio.sleep(0.3)
    assert sent < 16 << 20
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
    assert await asyncio.wait_for(reader.read(-1), 30) == b"hello"
    writer.close()


async def test_connections_end_without_a_trace(behind: Behind, front: tuple[Front, int]) -> None:
    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    await behind.start(hold)
    clients = [socket.create_connection(("127.0.0.1", front[1])) for _ in range(50)]
    await until(lambda: len(front[0].relays) == 50)
    for client in clients:
        client.close()
    await until(lambda: not front[0].relays)


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
    await until(lambda: front[0].relays)
    await until(lambda: not front[0].relays)
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


@pytest.mark.parametrize("pipes", [True, False])
async def test_what_follows_a_long_body_is_mended_all_the_same(
    behind: Behind, front: tuple[Front, int], pipes: bool
) -> None:
    head = b"HTTP/1.1 200 OK\r\nX-Amz-Meta-X: y\r\nContent-Length: %d\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(len(BIG))
            writer.write(head % len(body) + body)
            await writer.drain()

    if not pipes:  # a machine without splice(2), or with too many pipes already
        front[0].pipes._left = 0
    await behind.start(answer)
    reader, writer = await asyncio.open_connection("127.0.0.1", front[1])
    for _ in range(2):
        writer.write(b"PUT /b/k HTTP/1.1\r\nUser-Agent: Botocore/1\r\n\r\n" + BIG)
        found = await reader.readuntil(b"\r\n\r\n")
        assert b"x-amz-meta-x: y" in found
        assert hashlib.sha256(await reader.readexactly(len(BIG))).digest() == hashlib.sha256(BIG).digest()
    writer.close()
    assert bool(front[0].pipes._idle) is pipes


async def test_pipes_of_connections_that_broke_are_given_back_empty(
    behind: Behind, front: tuple[Front, int]
) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(bytes(1 << 20))
            await writer.drain()

    await behind.start(flood)
    before = front[0].pipes._left
    clients = [socket.create_connection(("127.0.0.1", front[1])) for _ in range(8)]
    for client in clients:
        client.sendall(b"x")
    await until(lambda: front[0].pipes._left == before - 8)
    for client in clients:
        client.close()
    await until(lambda: not front[0].relays)
    assert front[0].pipes._left + len(front[0].pipes._idle) == before


@pytest.mark.parametrize("says_more", [True, False])
def test_the_end_of_a_caddy_that_did_not_read_all_is_heard_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says_more: bool
) -> None:
    """With uvloop, as in production: it tells of a socket's error but once."""
    monkeypatch.setattr("gateway.edge.front._LOOK_SECONDS", 0.1)
    caddy = socket.socket(socket.AF_UNIX)
    caddy.bind(str(tmp_path / "plain.sock"))
    caddy.listen()

    def refuse(arrived: threading.Event) -> None:
        peer, _ = caddy.accept()
        with peer:
            peer.recv(64)
            arrived.wait(20)
            peer.sendall(
                b"HTTP/1.1 417 Expectation Failed\r\n\r\n"
            )  # and it ends with bytes that it has not read

    async def ask() -> None:
        listener = listen(Address("127.0.0.1", 0))
        front = Front(asyncio.get_running_loop(), [listener], str(tmp_path / "plain.sock"))
        arrived = threading.Event()
        refusing = asyncio.get_running_loop().run_in_executor(None, refuse, arrived)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(bytes(4096))
        await writer.drain()
        await asyncio.sleep(0)
        arrived.set()
        assert (await reader.readline()).startswith(b"HTTP/1.1 417")
        await refusing
        if says_more:
            writer.write(bytes(4096))
            writer.close()
        await until(lambda: not front.relays)
        writer.close()
        front.stop()

    with caddy:
        uvloop.run(ask())
