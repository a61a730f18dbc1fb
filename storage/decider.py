"""The S3 front door: every request for S3_DOMAIN, a bucket's subdomain of it, or `/s3/…`.

`decide` proves who asks and answers what needs no body: reads, lists, and writes that the edge can stream to a
backend. What has a body that this process must see is decided as Handle, and proven there.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.decision.context import DecisionContext
from gateway.decision.registry import Decider, Receive, Send, registry
from gateway.decision.rendering import encode
from gateway.decision.types import (
    Answer,
    BackendAnswer,
    Decision,
    Failure,
    Forward,
    Handle,
    RequestHead,
    SendFile,
)
from storage import snapshot
from storage.errors import StorageRefusal
from storage.rates import RATES
from storage.s3 import answers, counts, cross_origin, remote, streaming, sts
from storage.s3.admission import admitted
from storage.s3.backend import BackendUnsure, error_of
from storage.s3.doubts import is_of_our_key
from storage.s3.errors import INSECURE, S3Error
from storage.s3.front import Front
from storage.s3.handlers import operations, preflight
from storage.s3.operation import Operation
from storage.s3.request import Claimed, claimed
from storage.s3.target import has_prefix, in_domain, locate

_TAKING: Final = frozenset({Operation.PUT_OBJECT.name, Operation.UPLOAD_PART.name})


class S3Decider(Decider):
    name = "s3"
    order = 20

    def __init__(self) -> None:
        self._opened: Front | None = None

    def claims(self, head: RequestHead, ctx: DecisionContext) -> bool:
        if in_domain(head.host, ctx.settings.S3_DOMAIN):
            return True
        return has_prefix(head.raw_path) and ctx.is_public_host(head.host)

    async def decide(self, head: RequestHead, ctx: DecisionContext) -> Decision:
        if head.scheme == "http" and ctx.settings.ENFORCE_HTTPS:
            return _insecure(head, ctx.settings.S3_DOMAIN)
        operation, front = "none", self._front(ctx)
        asked: Claimed | None = None
        try:
            if head.method == "OPTIONS":
                target = locate(head.host, head.raw_path, front.domain)
                return answers.stamp(await preflight.answer(head, target, front), head)
            if sts.asks(head, front.domain):
                return Handle()
            asked = await claimed(head, front)
            operation = asked.operation.name
            decision = await self._decide(asked, front)
        except S3Error as error:
            decision = answers.refuse(error, head)
        except StorageRefusal as refusal:
            decision = answers.refuse(answers.translate(refusal), head)
        _count(operation, decision)
        return cross_origin.dress(answers.stamp(decision, head), head, front, asked)

    async def _decide(self, asked: Claimed, front: Front) -> Decision:
        decided = operations.DECIDED.get(asked.operation)
        if decided is not None:
            return await decided(await admitted(asked, front), front)
        forwarded = operations.FORWARDED.get(asked.operation)
        if forwarded is not None:
            # Before anything is proven, so only for choosing who looks at it.
            bucket = await front.sought_bucket(asked.access, asked.target.bucket)
            if bucket is not None and bucket.kind == "s3":
                request = await admitted(asked, front)
                return await forwarded(request, request.bucket, front)
        return Handle()

    async def handle(self, head: RequestHead, receive: Receive, send: Send, ctx: DecisionContext) -> None:
        operation, front = "none", self._front(ctx)
        asked: Claimed | None = None
        answer: Answer | answers.Stream
        try:
            if sts.asks(head, front.domain):
                answer = await sts.answer(head, receive, front)
            else:
                asked = await claimed(head, front)
                operation = asked.operation.name
                answer = await operations.HANDLED[asked.operation](
                    await admitted(asked, front), front, receive
                )
        except S3Error as error:
            answer = answers.refuse(error, head)
        except StorageRefusal as refusal:
            answer = answers.refuse(answers.translate(refusal), head)
        counts.OPERATIONS.add((operation, answer.status))
        if operation in _TAKING and answer.status == 200:
            counts.BYTES.add(("in",), head.content_length or 0)
        cross_origin.dress(answers.stamp(answer, head), head, front, asked)
        headers = encode(answer.headers)
        if isinstance(answer, answers.Stream):
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await streaming.send_body(answer.body, receive, send)
            return
        if answer.status not in (204, 304) and not any(name == b"content-length" for name, _ in headers):
            headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if head.method == "HEAD" else answer.body})

    async def commit(
        self, head: RequestHead, token: Mapping[str, Any], backend: BackendAnswer, ctx: DecisionContext
    ) -> Answer:
        try:
            answer = await remote.commit(token, backend, self._front(ctx))
        except S3Error as error:
            answer = answers.refuse(error, head)
        except StorageRefusal as refusal:
            answer = answers.refuse(answers.translate(refusal), head)
        operation = "PUT_OBJECT" if token["is"] == "put" else "UPLOAD_PART"
        counts.OPERATIONS.add((operation, answer.status))
        if answer.status == 200:
            counts.BYTES.add(("in",), head.content_length or 0)
        answer.headers = [*answer.headers, *cross_origin.kept(token)]
        return answers.stamp(answer, head)

    async def released(self, token: Mapping[str, Any], ctx: DecisionContext) -> None:
        await remote.released(token, self._front(ctx))

    async def failed(self, head: RequestHead, failure: Failure, ctx: DecisionContext) -> Answer:
        """A blob is gone, a backend is dead or said no, or this process itself failed."""
        if failure.status == 404 and failure.masked:
            error = S3Error("NoSuchKey")
        elif failure.masked:
            error = error_of(failure.status)
            if failure.status in remote.unchanged.STATUSES and failure.token is not None:
                answered = dict(failure.headers.items())
                error.headers |= await remote.unchanged.noted(
                    failure.token, failure.status, answered, self._front(ctx)
                )
        elif failure.status == 500:
            error = S3Error("InternalError")
        elif failure.status in (502, 504):
            error = BackendUnsure()
        else:
            error = S3Error("ServiceUnavailable")
        backend = (failure.token or {}).get("backend")
        if backend and (failure.status in (502, 504) or is_of_our_key(failure.status, "")):
            self._front(ctx).doubts.note(backend)
        answer = answers.refuse(error, head)
        told = await cross_origin.of_failure(failure, head, self._front(ctx))
        answer.headers = [*answer.headers, *told]
        return answers.stamp(answer, head)

    def _front(self, ctx: DecisionContext) -> Front:
        """The front of this context; a process has one, tests one after the other."""
        if self._opened is None or self._opened.ctx is not ctx:
            self._opened = Front(ctx)
        return self._opened


def _insecure(head: RequestHead, domain: str) -> Answer:
    """The refusal that a policy's `aws:SecureTransport` gives: S3's clients follow no redirection to https."""
    if sts.asks(head, domain):
        return sts.insecure(head)
    refusal = answers.refuse(S3Error("AccessDenied", INSECURE), head)
    _count("none", refusal)
    return answers.stamp(refusal, head)


def _count(operation: str, decision: Decision) -> None:
    """What is handled or committed is counted by its outcome, later."""
    if isinstance(decision, Answer):
        counts.OPERATIONS.add((operation, decision.status))
    elif isinstance(decision, SendFile):
        counts.OPERATIONS.add((operation, "206" if decision.range else "200"))
    elif isinstance(decision, Forward) and decision.commit is None:
        counts.OPERATIONS.add((operation, "forwarded"))


registry.register(
    S3Decider(),
    parts=[
        snapshot.BACKENDS,
        snapshot.BUCKETS,
        snapshot.ACCESS_KEYS,
        snapshot.DOMAINS,
        snapshot.QUOTAS,
        snapshot.ENDED_API_KEYS,
        RATES,
    ],
)
