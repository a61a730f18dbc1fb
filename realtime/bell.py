"""Hearing at once that a tenant has news (`realtime.services.ring`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import redis.asyncio
from redis.exceptions import RedisError

from realtime.services import BELL

log = logging.getLogger(__name__)
RETRY_SECONDS = 1.0


async def listen(url: str, heard: Callable[[int], None]) -> None:
    """Call `heard(tenant_id)` for each ring, until cancelled. While Valkey is away there is the net (`hub`)."""
    silent = False
    while True:
        try:
            async with (
                redis.asyncio.from_url(url, socket_connect_timeout=2, health_check_interval=10) as client,
                client.pubsub() as subscription,
            ):
                await subscription.subscribe(BELL)
                if silent:
                    log.info("the bell is heard again")
                    silent = False
                while True:
                    message = await subscription.get_message(ignore_subscribe_messages=True, timeout=5)
                    if message is not None and message["data"].isdigit():
                        heard(int(message["data"]))
        except (RedisError, OSError, TimeoutError) as error:
            if not silent:
                log.warning("the bell is not heard, events come up to a second late: %s", error)
                silent = True
            await asyncio.sleep(RETRY_SECONDS)
