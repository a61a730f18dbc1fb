"""Who decides for which request. Apps register in `<app>/decider.py`, which is imported at start.

class S3Decider(Decider):
    name = "s3"
    order = 20

    def claims(self, head, ctx):
        return ctx.is_public_host(head.host) and head.raw_path.startswith("/s3/")

    async def decide(self, head, ctx):
        bucket = ctx.snapshot.get(BUCKETS).get(...)
        return Answer(404)

registry.register(S3Decider(), parts=[BUCKETS, KEYS])
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from gateway.decision import answers
from gateway.decision.snapshot import SnapshotPart
from gateway.decision.types import Answer, BackendAnswer, Decision, Failure, Listener, RequestHead

if TYPE_CHECKING:
    from gateway.decision.context import DecisionContext

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Decider(ABC):
    """Decides for one kind of target. One instance serves all requests of the process, concurrently."""

    name: str
    """Unique; part of the handler's path, so `[a-z0-9-]+`."""
    order: int = 100
    """Lower is asked first; the first to claim a request decides."""

    @abstractmethod
    def claims(self, head: RequestHead, ctx: "DecisionContext") -> bool:
        """Whether the request is this decider's, by host and path alone: no I/O, nearly free."""

    @abstractmethod
    async def decide(self, head: RequestHead, ctx: "DecisionContext") -> Decision:
        """Decide a claimed request. Must be safe to repeat.

        An exception becomes `failed(..., Failure(500))`; a `DatabaseBusy` becomes 503.
        """

    def listeners(self, ctx: "DecisionContext") -> Iterable[Listener]:
        """Further ports that the edge shall listen on; asked for about twice a second: nearly free."""
        return ()

    async def commit(
        self, head: RequestHead, token: Mapping[str, Any], backend: BackendAnswer, ctx: "DecisionContext"
    ) -> Answer:
        """The upstream answered a Forward that had a commit token: record it and answer the client."""
        raise NotImplementedError(f"{self.name} forwards with a commit token but has no commit()")

    async def released(self, token: Mapping[str, Any], ctx: "DecisionContext") -> None:
        """The edge is done with a Forward that had a commit token, however it ended, also where the client left.

        Called after `commit` and `failed`, which may never have been asked; not where this process stopped meanwhile.
        """
        return

    async def failed(self, head: RequestHead, failure: Failure, ctx: "DecisionContext") -> Answer:
        """Say in this decider's language that the edge could not do what was decided."""
        return answers.problem(failure.status, head)

    async def handle(self, head: RequestHead, receive: Receive, send: Send, ctx: "DecisionContext") -> None:
        """Serve a request that was decided as `Handle`, as an ASGI application would.

        `head` is the client's (`head.method`, `head.raw_target`), `receive` streams the body without
        buffering it, `http.disconnect` says that the client has gone. With `Expect: 100-continue` the
        client sends its body only after the first `receive`.
        """
        raise NotImplementedError(f"{self.name} decides Handle but has no handle()")


class Registry:
    """The deciders of a process in claim order, and the snapshot parts they need."""

    def __init__(self) -> None:
        self._deciders: dict[str, Decider] = {}
        self._ordered: tuple[Decider, ...] = ()
        self._parts: dict[str, SnapshotPart[Any]] = {}

    def register(self, decider: Decider, *, parts: Iterable[SnapshotPart[Any]] = ()) -> None:
        """Add a decider. ValueError when its name is taken by another."""
        if decider.name in self._deciders:
            raise ValueError(f"two deciders are named {decider.name}")
        self._deciders[decider.name] = decider
        self._ordered = tuple(sorted(self._deciders.values(), key=lambda each: (each.order, each.name)))
        for part in parts:
            self.register_part(part)

    def register_part(self, part: SnapshotPart[Any]) -> None:
        """Add a snapshot part; the same part may be registered by several deciders."""
        if self._parts.setdefault(part.name, part) is not part:
            raise ValueError(f"two snapshot parts are named {part.name}")

    def claimant(self, head: RequestHead, ctx: "DecisionContext") -> Decider | None:
        """The first decider that claims the request, or None."""
        for decider in self._ordered:
            if decider.claims(head, ctx):
                return decider
        return None

    def named(self, name: str) -> Decider | None:
        """The decider of that name, or None."""
        return self._deciders.get(name)

    @property
    def deciders(self) -> tuple[Decider, ...]:
        """All deciders in claim order."""
        return self._ordered

    @property
    def parts(self) -> tuple[SnapshotPart[Any], ...]:
        """All snapshot parts."""
        return tuple(self._parts.values())


registry = Registry()
"""The process's registry; tests make their own."""
