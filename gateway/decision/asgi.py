"""The decision process as a bare ASGI application; only the edge talks to it.

GET /decide, /commit, /failed: one question each (gateway.decision.types), all about the client's request
that the edge's headers describe. * /handle/<decider>: the client's request itself, for `Decider.handle`.
GET /healthz: 200 when every snapshot part is loaded, else 503. GET /listeners: the ports that the edge shall listen
on beside its own, a JSON list of gateway.decision.types.Listener.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import asyncpg
import orjson

from gateway import logs
from gateway.decision import answers, reading, rendering, wire
from gateway.decision.context import DecisionContext
from gateway.decision.database import DatabaseBusy
from gateway.decision.registry import Decider, Receive, Registry, Send
from gateway.decision.tokens import TokenSigner
from gateway.decision.types import Answer, Decision, Failure, Forward, RawHeaders, RequestHead
from gateway.metrics.series import DECISIONS

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
OpenContext = Callable[[], AbstractAsyncContextManager[DecisionContext]]

BODY_STALL_SECONDS = 60.0
# How long a client that is refused may go on sending, and be silent meanwhile, before it is cut off.
FINISH_SECONDS, PAUSE_SECONDS = 10.0, 1.0

# Not a defect: it is busy, restarting, or the connection broke in the middle. The client may try again.
_DATABASE_AWAY = (
    DatabaseBusy,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    ConnectionError,
)
_HANDLE = "/handle/"


class DecisionApp:
    """ASGI over a registry of deciders. `open_context` is entered at start and left at shutdown."""

    def __init__(self, registry: Registry, open_context: OpenContext, signer: TokenSigner) -> None:
        self._registry = registry
        self._open_context = open_context
        self._signer = signer
        self._ctx: DecisionContext | None = None
        self._questions: dict[str, Question] = {
            "/decide": partial(self._ask, self._decide),
            "/commit": partial(self._ask, self._commit),
            "/failed": partial(self._ask, self._failed),
        }
        self._by_url = {path.encode(): question for path, question in self._questions.items()}

    def question(self, url: bytes) -> "Question | None":
        """What answers the edge's question at this URL, given the headers; None where it is no question."""
        return self._by_url.get(url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"the edge does not speak {scope['type']} with this process")
        path: str = scope["path"]
        question = self._questions.get(path)
        ctx = self._ctx
        if question is not None:
            answered = await question(scope["headers"])
            await _reply(send, answered.whole if isinstance(answered, Held) else answered)
        elif path == "/healthz":
            ready = ctx is not None and ctx.snapshot.ready
            await _reply(send, (200 if ready else 503, [(b"content-length", b"0")], b""))
        elif ctx is None or not ctx.snapshot.ready:
            await _reply(send, _NOT_READY)
        elif path == "/listeners":
            found = [asdict(each) for decider in self._registry.deciders for each in decider.listeners(ctx)]
            body = orjson.dumps(found)
            await _reply(send, (200, [(b"content-length", str(len(body)).encode())], body))
        elif path.startswith(_HANDLE):
            await self._handle(path[len(_HANDLE) :], scope["headers"], ctx, receive, send)
        else:
            await _reply(send, (404, [(b"content-length", b"0")], b""))

    async def _ask(
        self, answer: Callable[[RawHeaders, DecisionContext], Awaitable["Rendered | Held"]], raw: RawHeaders
    ) -> "Rendered | Held":
        ctx = self._ctx
        return _NOT_READY if ctx is None or not ctx.snapshot.ready else await answer(raw, ctx)

    async def _decide(self, raw: RawHeaders, ctx: DecisionContext) -> "Rendered | Held":
        head = reading.read_head(raw)
        logs.request_id.set(head.request_id)
        decider = self._registry.claimant(head, ctx)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s %s is for %s", head.method, head.raw_path, decider.name if decider else "nobody")
        if decider is None:
            DECISIONS.add(("none", "answer", ""))
            return rendering.render_answer(
                answers.problem(404 if ctx.is_public_host(head.host) else 421, head)
            )
        try:
            decision: Decision = await decider.decide(head, ctx)
            if isinstance(decision, Answer):
                DECISIONS.add((decider.name, "answer", decision.status))
            else:
                DECISIONS.add((decider.name, type(decision).__name__.lower(), ""))
            rendered = rendering.render(decision, decider.name, self._signer)
            if isinstance(decision, Forward) and decision.commit is not None:
                return Held(rendered, partial(self._released, decider, decision.commit, ctx))
            return rendered
        except _DATABASE_AWAY as error:
            logger.warning("%s cannot decide: %s", decider.name, error)
            return await self._say_failed(decider, head, Failure(503), ctx)
        except Exception:
            logger.exception("%s failed to decide %s %s", decider.name, head.method, head.raw_path)
            return await self._say_failed(decider, head, Failure(500), ctx)

    async def _commit(self, raw: RawHeaders, ctx: DecisionContext) -> "Rendered":
        head = reading.read_head(raw, self._signer)
        logs.request_id.set(head.request_id)
        decider = self._named(reading.gw_header(raw, wire.DECIDER))
        token, head.token = head.token, None
        if token is None:
            raise ValueError("a commit without a token")
        try:
            return rendering.render_answer(await decider.commit(head, token, reading.read_backend(raw), ctx))
        except Exception as error:
            status = 503 if isinstance(error, _DATABASE_AWAY) else 500
            logger.exception("%s failed to commit %s %s", decider.name, head.method, head.raw_path)
            return await self._say_failed(decider, head, Failure(status, token=token), ctx)

    async def _released(self, decider: Decider, token: Mapping[str, Any], ctx: DecisionContext) -> None:
        try:
            await decider.released(token, ctx)
        except _DATABASE_AWAY as error:
            logger.warning("%s cannot note that the edge is done: %s", decider.name, error)
        except Exception:
            logger.exception("%s failed to note that the edge is done", decider.name)

    async def _failed(self, raw: RawHeaders, ctx: DecisionContext) -> "Rendered":
        head = reading.read_head(raw)
        logs.request_id.set(head.request_id)
        failure = reading.read_failure(raw, self._signer)
        return await self._say_failed(self._named(reading.gw_header(raw, wire.DECIDER)), head, failure, ctx)

    async def _say_failed(
        self, decider: Decider, head: RequestHead, failure: Failure, ctx: DecisionContext
    ) -> "Rendered":
        DECISIONS.add((decider.name, "failed", failure.status))
        try:
            return rendering.render_answer(await decider.failed(head, failure, ctx))
        except Exception:
            logger.exception("%s failed to say that it failed", decider.name)
            return rendering.render_answer(answers.problem(failure.status, head))

    async def _handle(
        self, name: str, raw: RawHeaders, ctx: DecisionContext, receive: Receive, send: Send
    ) -> None:
        decider = self._named(name)
        head = reading.read_head(raw, self._signer)
        logs.request_id.set(head.request_id)
        has_body = bool(head.content_length) or _is_chunked(raw)
        exchange = _Exchange(receive, send, has_body=has_body, waits="expect" in head.headers)
        try:
            await decider.handle(head, exchange.receive, exchange.send, ctx)
        except Exception as error:
            status = 503 if isinstance(error, _DATABASE_AWAY) else 500
            logger.exception("%s failed to handle %s %s", name, head.method, head.raw_path)
            if exchange.started:
                raise  # the server breaks the connection off, so the client sees that the answer is cut
            await _reply(exchange.send, await self._say_failed(decider, head, Failure(status), ctx))

    def _named(self, name: str) -> Decider:
        decider = self._registry.named(name)
        if decider is None:
            raise LookupError(f"the edge asks for the decider {name!r}, which is not registered")
        return decider

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with self._open_context() as ctx:
                self._ctx = ctx
                await send({"type": "lifespan.startup.complete"})
                await receive()
                self._ctx = None
        except Exception as error:
            logger.exception("the decision process cannot start or stop cleanly")
            stage = "startup" if self._ctx is None else "shutdown"
            await send({"type": f"lifespan.{stage}.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})


class _Exchange:
    """ASGI's receive and send for a handler: a client that stalls is gone, an early answer ends the body.

    `waits`: the client sends its body only when it is asked for (Expect: 100-continue).
    """

    def __init__(self, receive: Receive, send: Send, *, has_body: bool, waits: bool) -> None:
        self._receive = receive
        self._send = send
        self._unread = has_body
        self._silent = waits
        self.started = False

    async def receive(self) -> MutableMapping[str, Any]:
        if not self._unread:
            return await self._receive()
        self._silent = False
        try:
            async with asyncio.timeout(BODY_STALL_SECONDS):
                message = await self._receive()
        except TimeoutError:
            self._silent = True
            return {"type": "http.disconnect"}
        self._unread = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if not self.started:
            self.started = True
            if self._unread and not self._silent:
                await self._let_finish()
            if self._unread:
                # Or the edge would go on to send the body, and call for it where the client waits to be
                # asked (Expect: 100-continue), to keep its connection with us in step.
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await self._send(message)

    async def _let_finish(self) -> None:
        """Take what the client still sends, for a while: once the edge cannot write on, it reads no answer of ours."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS):
                while self._unread:
                    async with asyncio.timeout(PAUSE_SECONDS):
                        await self.receive()
                    await asyncio.sleep(0)  # a body that has arrived already must not keep the clock from us


def _is_chunked(raw: RawHeaders) -> bool:
    return any(name == b"transfer-encoding" for name, _ in raw)


Rendered = tuple[int, RawHeaders, bytes]


@dataclass(frozen=True, slots=True)
class Held:
    """An answer whose body stays away: the edge closes the connection once it is done, and `released` is to be called.

    So the end is heard of also where the client hung up, since the edge asks nothing more for one that is gone.
    """

    head: Rendered
    released: Callable[[], Coroutine[Any, Any, None]]

    @property
    def whole(self) -> Rendered:
        """Where connections are not in our hand: as any other answer, and nobody is told of the end."""
        status, headers, _ = self.head
        return status, headers, wire.HELD


Question = Callable[[RawHeaders], Coroutine[Any, Any, Rendered | Held]]

_NOT_READY: Rendered = rendering.render_answer(
    Answer(
        503,
        [("Content-Type", "application/problem+json"), ("Retry-After", "1")],
        b'{"type":"about:blank","title":"Service Unavailable","status":503,"code":"service_unavailable",'
        b'"detail":"The platform is starting.","errors":{},"error":"Service Unavailable"}',
    )
)


async def _reply(send: Send, rendered: Rendered) -> None:
    status, headers, body = rendered
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
