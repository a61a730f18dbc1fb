"""The bell that tells readers of the event log, once a commit is durable, that there is something new."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any, Protocol

BELL = "gatehouse:bell"  # realtime.services.BELL, whose module would bring Celery into the decision process


class Bell(Protocol):
    """The decision context's `redis`: rung after a commit, never waited for."""

    def publish(self, channel: str, message: Any) -> Awaitable[Any]: ...


class Ringer:
    """Rings without being waited for. Make it within the running event loop; without a bell it is silent."""

    def __init__(self, bell: Bell | None) -> None:
        self._bell = bell
        self._unrung: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Wait for the bells that ring."""
        await asyncio.gather(*self._tasks)

    def ring(self, tenant_id: int) -> None:
        """Tell readers of the log. One bell that has not been sent yet is enough for all that committed."""
        if self._bell is None or tenant_id in self._unrung:
            return
        self._unrung.add(tenant_id)
        task = asyncio.create_task(self._publish(self._bell, tenant_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _publish(self, bell: Bell, tenant_id: int) -> None:
        self._unrung.discard(tenant_id)
        with contextlib.suppress(Exception):  # readers also look by themselves every second
            await asyncio.wait_for(bell.publish(BELL, tenant_id), 1)
