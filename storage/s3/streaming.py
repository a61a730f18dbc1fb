"""Bodies that this process makes while it sends them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from gateway.decision.registry import Receive, Send


async def send_body(body: AsyncGenerator[bytes, None], receive: Receive, send: Send) -> None:
    """Send a body as it is made, until the client leaves: what is sent then is thrown away without a word."""
    left = asyncio.create_task(_left(receive))
    try:
        async with aclosing(body):
            async for piece in body:
                if left.done():
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        left.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
