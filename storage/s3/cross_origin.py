"""What answers tell browsers of pages from other origins, by the CORS rules of the bucket that was asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from gateway.decision.types import Answer, Decision, Failure, Forward, RequestHead, SendFile
from storage import cors, snapshot
from storage.s3.answers import Stream
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Claimed, by_name
from storage.s3.target import locate, parse_query
from storage.snapshot import AccessKeyInfo

D = TypeVar("D", bound="Decision | Stream")
Pairs = list[tuple[str, str]]

_KEPT: Final = "cors"


def dress(decision: D, head: RequestHead, front: Front, asked: Claimed | None) -> D:
    """The same with the headers of CORS, refusals too; `asked` is None where the request could not be read.

    What a backend's answer becomes is told later, by `kept`: by then the request's own signature is gone.
    """
    if asked is None:
        return decision
    found = _headers(head, front, asked.access, asked.target.bucket, asked.headers)
    if not found:
        return decision
    if isinstance(decision, Answer | SendFile | Stream):
        decision.headers = [*decision.headers, *found]
    elif isinstance(decision, Forward):
        if decision.commit is None:
            decision.set_response_headers = {**decision.set_response_headers, **dict(found)}
            decision.note = {**(decision.note or {}), _KEPT: found}
        else:
            decision.commit = {**decision.commit, _KEPT: found}
    return decision


def kept(token: Mapping[str, Any]) -> Pairs:
    """The headers that `dress` left in a Forward's note or token."""
    return [(name, value) for name, value in token.get(_KEPT, ())]


async def of_failure(failure: Failure, head: RequestHead, front: Front) -> Pairs:
    """The headers for what failed after its decision; where nothing was noted, of presigned and anonymous requests."""
    if failure.token is not None:
        return kept(failure.token)
    if "origin" not in head.headers:
        return []
    try:
        access = await presigner(head, front)
        target = locate(head.host, head.raw_path, front.domain)
    except S3Error:
        return []
    return _headers(head, front, access, target.bucket, by_name(head))


async def presigner(head: RequestHead, front: Front) -> AccessKeyInfo:
    """The key that a presigned URL names, unproven; without one whoever is anonymous. Raises S3Error."""
    query = parse_query(head.raw_query)
    key_id = query.get("X-Amz-Credential", "").partition("/")[0] or query.get("AWSAccessKeyId", "")
    if not key_id:
        return front.anonymous(head.host)
    return await front.access_key(key_id, query.get("X-Amz-Security-Token", ""))


def _headers(
    head: RequestHead, front: Front, access: AccessKeyInfo, bucket: str, headers: Mapping[str, str]
) -> Pairs:
    """From memory alone: a process that changes rules knows them at once, and others soon."""
    known = front.ctx.snapshot.get(snapshot.BUCKETS)
    found = known.get((access.tenant_id, bucket))
    if found is None and not access.is_anonymous:
        found = known.get((snapshot.CLAIMED, bucket))
    return cors.actual(found.cors, headers, head.method) if found and found.cors else []
