"""An event as outsiders see it: CloudEvents 1.0 JSON (docs/realtime.md)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from realtime.models import Event


def of(event: Event) -> dict[str, Any]:
    """A row of the log."""
    return _envelope(
        event.pk, event.type, event.tenant.slug, event.source, event.subject, event.time, event.data
    )


def _envelope(
    event_id: int, kind: str, tenant: str, source: str, subject: str, time: datetime, data: Any
) -> dict[str, Any]:
    """The attributes in their usual order. CloudEvents wants no empty subject, so there is none then."""
    event = {
        "specversion": "1.0",
        "id": str(event_id),
        "source": f"/tenants/{tenant}/{source}",
        "type": kind,
        "subject": subject,
        "time": time,
        "data": data,
    }
    if not subject:
        del event["subject"]
    return event


class Rendered:
    """One event, serialised once for all its readers; each wire form is made when its first reader needs it."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        """`row` is of `realtime.log`: its data is JSON text, which passes through unparsed."""
        self.id: int = row["id"]
        self.type: str = row["type"]
        self.time: datetime = row["time"]
        data = orjson.Fragment(row["data"])
        event = _envelope(
            row["id"], row["type"], row["tenant"], row["source"], row["subject"], row["time"], data
        )
        self.json: bytes = orjson.dumps(event, option=orjson.OPT_UTC_Z)
        self.size = len(self.json)

    @cached_property
    def sse(self) -> bytes:
        return b"id: %d\ndata: %b\n\n" % (self.id, self.json)

    @cached_property
    def text(self) -> str:
        return self.json.decode()
