"""What answers tell browsers of pages from other origins, by the CORS rules of the bucket that was asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from gateway.decision.types import Answer, Decision, Forward, RequestHead, SendFile
from storage import cors, snapshot
from storage.s3.answers import Stream
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Claimed, claimed
from storage.snapshot import AccessKeyInfo

D = TypeVar("D", bound="Decision | Stream")


async def dress(decision: D, head: RequestHead, front: Front, asked: Claimed | None = None) -> D:
    """The same with the headers of CORS, refusals too; a preflight's has its own. `asked` is what the request claims,
    where that was read.
    """
    if asked is None:
        if head.method == "OPTIONS" or "origin" not in head.headers:
            return decision
        try:
            asked = await claimed(head, front)
        except S3Error:
            return decision
    rules = _rules(front, asked.access, asked.target.bucket)
    if rules:
        _add(decision, cors.actual(rules, asked.headers, head.method))
    return decision


def _rules(front: Front, access: AccessKeyInfo, bucket: str) -> Sequence[Any]:
    """From memory alone: a process that changes rules knows them at once, and others soon."""
    known = front.ctx.snapshot.get(snapshot.BUCKETS)
    found = known.get((access.tenant_id, bucket))
    if found is None and not access.is_anonymous:
        found = known.get((snapshot.CLAIMED, bucket))
    return found.cors if found else ()


def _add(decision: Decision | Stream, headers: list[tuple[str, str]]) -> None:
    if isinstance(decision, Answer | SendFile | Stream):
        decision.headers = [*decision.headers, *headers]
    elif isinstance(decision, Forward) and decision.commit is None:
        decision.set_response_headers = {**decision.set_response_headers, **dict(headers)}
