"""Events of verbs that may be part of a larger change: held back to its end.

Publishing takes the tenant's event lock, so it comes last in a transaction, also in one of many verbs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from realtime import services as realtime
from tenants.principal import Principal


@dataclass(frozen=True, slots=True)
class _Event:
    tenant_id: int
    kind: str
    subject: str
    data: dict[str, object]
    actor: Principal | None

    def publish(self) -> None:
        realtime.publish(self.tenant_id, self.kind, subject=self.subject, data=self.data, actor=self.actor)


_held: ContextVar[list[_Event] | None] = ContextVar("held_events", default=None)


def tell(
    tenant_id: int, kind: str, *, subject: str, data: dict[str, object], actor: Principal | None
) -> None:
    """Publish an event; within `together`, at its end. Call it as the verb's last act."""
    event, held = _Event(tenant_id, kind, subject, data, actor), _held.get()
    if held is None:
        event.publish()
    else:
        held.append(event)


@contextmanager
def together() -> Iterator[None]:
    """Verbs within the block are told of when it ends. Use it within the transaction that makes them one change."""
    if _held.get() is not None:
        yield
        return
    held: list[_Event] = []
    token = _held.set(held)
    try:
        yield
    finally:
        _held.reset(token)
    for event in held:
        event.publish()
