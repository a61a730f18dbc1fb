"""The MCP SDK's own client on a real workspace's server, through the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from workspaces.tests.server import server

from .conftest import Platform


@pytest.fixture(scope="module")
def at(platform: Platform) -> Iterator[tuple[str, str]]:
    """A workspace's URL, and a key of its owner's."""
    owner = platform.member(platform.tenant())
    with server() as address:
        platform.workspace(owner, address=address)
        yield f"{platform.stack.url}/ws/dev/mcp", platform.key(owner)


@asynccontextmanager
async def client(at: tuple[str, str], mode: str) -> AsyncIterator[Client]:
    url, key = at
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as made,
    ):
        yield made


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_works(at: tuple[str, str], mode: str) -> None:
    async with client(at, mode) as session:
        tools = {tool.name for tool in (await session.list_tools()).tools}
        assert {"git_status", "read_file", "write_file"} <= tools
        wrote = await session.call_tool("write_file", {"path": f"{mode}.txt", "content": "hello"})
        assert not wrote.is_error
        read = await session.call_tool("read_file", {"path": f"{mode}.txt"})
        assert "hello" in str(read.content)
        assert (await session.call_tool("read_file", {"path": "../../etc/passwd"})).is_error
