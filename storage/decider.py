"""The S3 front door: every request for S3_DOMAIN, a bucket's subdomain of it, or `/s3/…`.

`decide` proves who asks and answers what needs no body: reads, lists, and writes that the edge can stream to a
backend. What has a body that this process must see is decided as Handle, and proven there.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from gateway.decision.context import DecisionContext
from gateway.decision.registry import Decider, Receive, Send, registry
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
from gateway.decision.wire import encode
from storage import snapshot
from storage.errors import StorageRefusal
from storage.rates import RATES
from storage.s3 import answers, counts, remote
from storage.s3.backend import error_of
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.handlers import buckets, copies, lists, multipart, reads, writes
from storage.s3.operation import Operation, has_prefix, in_domain
from storage.s3.request import Claimed, Request, claimed

Decided = Callable[[Request, Front], Awaitable[Decision]]
Handled = Callable[[Request, Front, Receive], Awaitable[Answer]]

DECIDED: Final[Mapping[Operation, Decided]] = {
    Operation.LIST_BUCKETS: buckets.list_all,
    Operation.HEAD_BUCKET: buckets.head,
    Operation.GET_BUCKET_LOCATION: buckets.location,
    Operation.GET_BUCKET_VERSIONING: buckets.versioning,
    Operation.LIST_OBJECTS: lists.list_v1,
    Operation.LIST_OBJECTS_V2: lists.list_v2,
    Operation.LIST_MULTIPART_UPLOADS: multipart.list_uploads,
    Operation.LIST_PARTS: multipart.list_parts,
    Operation.GET_OBJECT: reads.read,
    Operation.HEAD_OBJECT: reads.read,
}
HANDLED: Final[Mapping[Operation, Handled]] = {
    Operation.CREATE_BUCKET: buckets.create,
    Operation.DELETE_BUCKET: buckets.delete,
    Operation.DELETE_OBJECTS: lists.delete_many,
    Operation.PUT_OBJECT: writes.put,
    Operation.COPY_OBJECT: copies.copy,
    Operation.DELETE_OBJECT: writes.delete,
    Operation.CREATE_MULTIPART_UPLOAD: multipart.create,
    Operation.UPLOAD_PART: multipart.upload_part,
    Operation.UPLOAD_PART_COPY: copies.copy_part,
    Operation.COMPLETE_MULTIPART_UPLOAD: multipart.complete,
    Operation.ABORT_MULTIPART_UPLOAD: multipart.abort,
}
# On a remote bucket the edge streams these by itself.
FORWARDED: Final = {
    Operation.PUT_OBJECT: remote.forward_put,
    Operation.UPLOAD_PART: remote.forward_part,
}

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
        operation = "none"
        try:
            front = self._front(ctx)
            asked = await claimed(head, front)
            operation = asked.operation.name
            decision = await self._decide(asked, front)
        except S3Error as error:
            decision = answers.refuse(error, head)
        except StorageRefusal as refusal:
            decision = answers.refuse(answers.translate(refusal), head)
        _count(operation, decision)
        return answers.stamp(decision, head)

    async def _decide(self, asked: Claimed, front: Front) -> Decision:
        decided = DECIDED.get(asked.operation)
        if decided is not None:
            return await decided(_admitted(asked, front), front)
        forwarded = FORWARDED.get(asked.operation)
        if forwarded is not None:
            bucket = await front.bucket(asked.access.tenant_id, asked.target.bucket)
            if bucket.kind == "s3":
                return await forwarded(_admitted(asked, front), bucket, front)
        return Handle()

    async def handle(self, head: RequestHead, receive: Receive, send: Send, ctx: DecisionContext) -> None:
        front = self._front(ctx)
        operation = "none"
        try:
            asked = await claimed(head, front)
            operation = asked.operation.name
            answer = await HANDLED[asked.operation](_admitted(asked, front), front, receive)
        except S3Error as error:
            answer = answers.refuse(error, head)
        except StorageRefusal as refusal:
            answer = answers.refuse(answers.translate(refusal), head)
        counts.OPERATIONS.add((operation, answer.status))
        if operation in _TAKING and answer.status == 200:
            counts.BYTES.add(("in",), head.content_length or 0)
        answers.stamp(answer, head)
        headers = encode(answer.headers)
        if answer.status not in (204, 304):
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
        answers.stamp(answer, head)
        return answer

    async def failed(self, head: RequestHead, failure: Failure, ctx: DecisionContext) -> Answer:
        """A blob is gone, a backend is dead or said no, or this process itself failed."""
        if failure.status == 404:
            error = S3Error("NoSuchKey")
        elif failure.masked:
            error = error_of(failure.status)
        elif failure.status == 500:
            error = S3Error("InternalError")
        else:
            error = S3Error("ServiceUnavailable")
        answer = answers.refuse(error, head)
        answers.stamp(answer, head)
        return answer

    def _front(self, ctx: DecisionContext) -> Front:
        """The front of this context; a process has one, tests one after the other."""
        if self._opened is None or self._opened.ctx is not ctx:
            self._opened = Front(ctx)
        return self._opened


def _count(operation: str, decision: Decision) -> None:
    """What is handled or committed is counted by its outcome, later."""
    if isinstance(decision, Answer):
        counts.OPERATIONS.add((operation, decision.status))
    elif isinstance(decision, SendFile):
        counts.OPERATIONS.add((operation, "206" if decision.range else "200"))
    elif isinstance(decision, Forward) and decision.commit is None:
        counts.OPERATIONS.add((operation, "forwarded"))


def _admitted(asked: Claimed, front: Front) -> Request:
    """The request of a caller who is proven and has not asked too often. Raises S3Error."""
    request = asked.prove()
    front.count(request.access)
    return request


registry.register(
    S3Decider(), parts=[snapshot.BACKENDS, snapshot.BUCKETS, snapshot.ACCESS_KEYS, snapshot.QUOTAS, RATES]
)
