"""One edge serves all tests of a module; each test has its own upstream."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from .harness import Edge
from .upstream import Upstream, upstream

Decide = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    made = Edge(Path(tmp_path_factory.mktemp("edge")))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest_asyncio.fixture
async def backend() -> AsyncIterator[Upstream]:
    async with upstream() as made:
        yield made


class Client:
    """An HTTP client of the edge that sends a path exactly as given."""

    def __init__(self, base: str, session: aiohttp.ClientSession) -> None:
        self._base = base
        self._session = session

    def request(self, method: str, path: str, **options: Any) -> Any:
        url = URL(self._base + path, encoded=True)
        return self._session.request(method, url, allow_redirects=False, **options)

    def get(self, path: str, **options: Any) -> Any:
        return self.request("GET", path, **options)

    def head(self, path: str, **options: Any) -> Any:
        return self.request("HEAD", path, **options)

    def put(self, path: str, **options: Any) -> Any:
        return self.request("PUT", path, **options)

    def ws_connect(self, path: str, **options: Any) -> Any:
        return self._session.ws_connect(self._base + path, **options)


@pytest_asyncio.fixture
async def http(edge: Edge) -> AsyncIterator[Client]:
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
        yield Client(edge.url, session)


@pytest.fixture
def decide() -> Decide:
    """The header that makes the fake decider decide so."""

    def header(kind: str, **fields: Any) -> dict[str, str]:
        return {"X-Test-Decision": json.dumps({"kind": kind, **fields})}

    return header


@asynccontextmanager
async def raw(edge: Edge, **tls: Any) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the edge for a request written by hand; all that is done with it is limited to 60 s."""
    port = edge.https_port if tls else edge.http_port
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **tls)
    try:
        async with asyncio.timeout(60):
            yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def until(condition: Callable[[], object]) -> None:
    """Return once it holds. Raises TimeoutError where it does not within 30 s."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def lines(wish: dict[str, str]) -> str:
    """A decision's header as it is written by hand."""
    return "".join(f"{name}: {value}\r\n" for name, value in wish.items())
