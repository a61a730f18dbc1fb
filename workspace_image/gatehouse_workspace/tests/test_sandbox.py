"""What the sandbox adds: unix sockets for the edge, relays to declared ports and out; and the environment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from gatehouse_workspace import listen
from gatehouse_workspace.relay import Relay
from gatehouse_workspace.settings import Misconfigured, Settings
from gatehouse_workspace.tests.running import HEADERS, running
from tests.ports import free_port


@contextlib.asynccontextmanager
async def shouting(port: int) -> AsyncIterator[None]:
    """A server that answers each line in capitals."""

    served: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.current_task())
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                writer.write(line.upper())
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", port):
        yield
    await asyncio.gather(*(task for task in served if task))
    await asyncio.sleep(0)


async def test_declared_ports_are_unix_sockets(tmp_path: Path) -> None:
    port = free_port()
    sockets = tmp_path / "s"
    sockets.mkdir()
    (sockets / f"p{port}.sock").touch()  # of an earlier process
    with running(tmp_path / "root", GATEHOUSE_SOCKETS=str(sockets), GATEHOUSE_PORTS=str(port)) as workspace:
        mcp = next(path for path in sockets.iterdir() if path.name != f"p{port}.sock")
        transport = httpx2.AsyncHTTPTransport(uds=str(mcp))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
            assert (await client.post("/mcp", json=message, headers=HEADERS)).status_code == 200
            reader, writer = await asyncio.open_unix_connection(sockets / f"p{port}.sock")
            assert await reader.read() == b""  # nobody listens on the port yet
            writer.close()
            async with shouting(port):
                reader, writer = await asyncio.open_unix_connection(sockets / f"p{port}.sock")
                writer.write(b"hello\n")
                assert await reader.readline() == b"HELLO\n"
                assert (await client.get("/status")).json()["connections"] == 1
                writer.write_eof()
                assert await reader.read() == b""
                writer.close()
            while (await client.get("/status")).json()["connections"]:
                await asyncio.sleep(0.01)
        assert workspace.process.poll() is None


async def test_without_sockets_the_kernel_counts(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path / "root", GATEHOUSE_PORTS=str(port)) as workspace:
        async with shouting(port):
            assert workspace.status()["connections"] == 0
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            assert workspace.status()["connections"] == 1
            writer.close()


async def test_a_relay_is_bounded_and_survives_its_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatehouse_workspace.relay.MAX_STREAMS", 2)
    port, near = free_port(), socket.create_server(("127.0.0.1", 0))
    near.setblocking(False)
    address = near.getsockname()
    relay = Relay(near, lambda: asyncio.open_connection("127.0.0.1", port))
    task = asyncio.create_task(relay.run())
    try:
        async with shouting(port):
            first, second = [await asyncio.open_connection(*address) for _ in range(2)]
            while relay.streams < 2:
                await asyncio.sleep(0.01)
            reader, writer = await asyncio.open_connection(*address)
            assert await reader.read() == b""
            writer.close()
            first[1].transport.abort()
            while relay.streams > 1:
                await asyncio.sleep(0.01)
            second[1].write(b"still here\n")
            assert await second[0].readline() == b"STILL HERE\n"
            second[1].close()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_the_environment_is_read_strictly() -> None:
    found = Settings.from_environment({"GATEHOUSE_PORTS": "3000 3001 3000", "GATEHOUSE_GIT_PASSWORD": "hush"})
    assert found.ports == (3000, 3001)
    assert found.root == Path("/workspace")
    assert "hush" not in repr(found)
    for wrong in ("x", "0", "70000", "8080"):
        with pytest.raises(Misconfigured, match="GATEHOUSE_PORTS"):
            Settings.from_environment({"GATEHOUSE_PORTS": wrong})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"GATEHOUSE_PORTS": "x"}, "GATEHOUSE_PORTS"),
        ({"GITLAB_CA": "no certificate"}, "GITLAB_CA"),
        ({"GATEHOUSE_ROOT": "/nowhere/at/all"}, "/nowhere/at/all"),
    ],
)
def test_what_cannot_work_ends_with_a_reason(tmp_path: Path, given: dict[str, str], words: str) -> None:
    with running(tmp_path / "root", wait=False, given=given) as workspace:
        assert workspace.process.wait(timeout=60) in (1, 2)
    text = workspace.log.read_text()
    assert words in text
    assert "Traceback" not in text


def test_sockets_are_taken_over(tmp_path: Path) -> None:
    for _ in range(2):  # the second finds what the first left behind, as after a crash
        listener = listen.unix(tmp_path, 3000)
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(tmp_path / "p3000.sock"))
        listener.close()
    assert os.listdir(tmp_path) == ["p3000.sock"]
