"""One open terminal or log stream, and the orders to end it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from realtime import wire
from realtime.reader import Ending
from realtime.wire import Send
from tenants.principal import Principal
from tenants.services.standing import Holder
from workspaces.models import Service, Workspace

TOO_SLOW = Ending("slow_reader", "This reader is too slow.", 503, 1013)
GONE = Ending("client_gone", "The client has left.", 200, 1000)


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who may, and what: `permission` is what must go on to be held for it."""

    holder: Holder
    caller: Principal
    permission: str
    instance: Workspace | Service
    query: dict[str, str]


@dataclass(eq=False)
class Connection:
    """`ending` is why it ends, once it is to; `state` what `Guard` last saw of what it rests on.

    With `needs_running` it ends when the instance stops.
    """

    admitted: Admitted
    send_raw: Send
    needs_running: bool
    state: tuple[str, str] | None = None
    ending: Ending | None = None
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, ending: Ending) -> None:
        """Ask it to end; the first reason counts."""
        if self.ending is None:
            self.ending = ending
            self._ended.set()

    async def until_ended(self) -> Ending:
        await self._ended.wait()
        assert self.ending is not None
        return self.ending

    async def send(self, message: dict[str, Any]) -> bool:
        """Send, or drop the connection of a client that takes nothing; whether it was sent."""
        try:
            async with asyncio.timeout(settings.REALTIME_SEND_SECONDS):
                await self.send_raw(message)
        except TimeoutError:
            self.end(TOO_SLOW)
            wire.drop(self.send_raw)
            return False
        except OSError:  # the server's word, by ASGI, for a client that has left
            self.end(GONE)
            return False
        return True
