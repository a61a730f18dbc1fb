"""Configuration held in the process, so that a decision needs no query for what rarely changes.

A part is loaded whole at start, again when one of its topics is notified on the channel
`gatehouse_snapshot` (payload: the topic), and every 30 s as a net. Declare one beside its decider::

    BUCKETS = SnapshotPart("storage.buckets", topics={"storage.bucket"}, load=load_buckets)

and read it with `ctx.snapshot.get(BUCKETS)`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")

CHANNEL = "gatehouse_snapshot"
"""`SELECT pg_notify('gatehouse_snapshot', '<topic>')`, in the transaction that changes the rows."""


@dataclass(frozen=True, eq=False)
class SnapshotPart(Generic[T]):
    """One kind of configuration.

    `load(conn)` gets an asyncpg connection in the wide role inside a read-only, repeatable-read
    transaction, and returns the part as a finished object that nobody changes afterwards.
    """

    name: str
    topics: frozenset[str] | set[str]
    load: Callable[[Any], Awaitable[T]]


class Snapshot:
    """The loaded parts of a process."""

    def get(self, part: SnapshotPart[T]) -> T:
        """The part as last loaded. Never waits; KeyError when the part was not registered."""
        raise NotImplementedError

    async def refresh(self, part: SnapshotPart[T]) -> T:
        """The part loaded no earlier than this call, for a name that `get` does not hold.

        Concurrent calls share one load. Bounded: when the part was loaded this way more than
        `refreshes_per_second` times lately, or the load fails, the present value is returned, so a
        flood of unknown names cannot become a flood of queries.
        """
        raise NotImplementedError
