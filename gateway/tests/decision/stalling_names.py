"""What test_names runs in a network of its own, where the system's name server is ours: `python -m` this file.

Fails where names that stall hold up a look-up of another name: of the decision process's client, of its event loop, or
of what asks by threads.
"""

from __future__ import annotations

import asyncio
import subprocess
import time

import aiohttp
import uvloop

from gateway import outside
from gateway.decision import names as subject
from gateway.decision.names import Names
from tests.names import name_server, web_server

PATIENCE = 8.0
"""Seconds in which none of those that stall is given up, in place of three: a slow machine gets to all meanwhile."""
STALLING = [f"{n}.stalls.test" for n in range(40)]


async def _check(port: int) -> None:
    names, loop = Names(), asyncio.get_running_loop()
    connector = aiohttp.TCPConnector(limit=0, resolver=names, use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector) as http:
        by_client = [
            asyncio.create_task(
                http.get(f"http://{name}:{port}/", timeout=aiohttp.ClientTimeout(3 * PATIENCE))
            )
            for name in STALLING
        ]
        by_threads = [
            asyncio.create_task(asyncio.to_thread(outside.addresses, STALLING[0])) for _ in range(4)
        ]
        await asyncio.sleep(0.2)
        began = time.monotonic()
        async with http.get(f"http://well.test:{port}/") as answer:
            assert answer.status == 200
        assert await asyncio.wait_for(loop.getaddrinfo("well.test", port), PATIENCE / 2)
        assert outside.addresses("well.test")
        assert time.monotonic() - began < PATIENCE / 2
        assert not any(one.done() for one in (*by_client, *by_threads))
        for one in await asyncio.gather(*by_client, return_exceptions=True):
            assert isinstance(one, aiohttp.ClientConnectorDNSError), one
        assert time.monotonic() - began < 1.5 * PATIENCE
        assert await asyncio.gather(*by_threads) == [[]] * 4
    await names.close()


if __name__ == "__main__":
    for module in (outside, subject):
        vars(module)["RESOLVE_SECONDS"] = PATIENCE
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with name_server(53) as dns, web_server() as web:
        dns.ignored = (".stalls.test",)
        dns.records["well.test", "A"] = ["127.0.0.1"]
        web.answers["/"] = (200, {}, b"")
        uvloop.run(_check(web.port))
