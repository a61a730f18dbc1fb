"""Events of streams, kept so that a client can come back to one."""

from __future__ import annotations

from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp_types import JSONRPCMessage

MAX_EVENTS = 10_000


class Events(EventStore):
    """In memory, by number; the oldest are forgotten."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[str, JSONRPCMessage | None]] = {}
        self._last = 0

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """The number of the event; a message of None begins a stream."""
        self._last += 1
        self._kept[self._last] = (stream_id, message)
        self._kept.pop(self._last - MAX_EVENTS, None)
        return str(self._last)

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        """Send what the same stream had after that event; the stream, None where the event is not known."""
        if not last_event_id.isdecimal() or int(last_event_id) not in self._kept:
            return None
        stream = self._kept[int(last_event_id)][0]
        later = [number for number in self._kept if number > int(last_event_id)]
        for number in later:
            of, message = self._kept[number]
            if of == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream
