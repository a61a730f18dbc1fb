"""Retention and legal hold of an object's version."""

from datetime import datetime

from gateway.decision.types import Answer, Decision
from storage.index import ObjectRow
from storage.s3 import amend, answers, authorise, demands, lock_headers, receive, remote, versions
from storage.s3.body import Receive
from storage.s3.context import remaining_days
from storage.s3.documents import lock
from storage.s3.documents.schema import LIMIT
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Request
from storage.s3.text import iso


async def get_retention(request: Request, front: Front) -> Decision:
    row = await _found(request, front)
    if "mode" not in row.lock:
        raise S3Error("NoSuchObjectLockConfiguration")
    until = datetime.fromisoformat(row.lock["until"])
    return answers.xml(lock.write_retention(lock.Retention(row.lock["mode"], until)))


async def get_legal_hold(request: Request, front: Front) -> Decision:
    """ON or OFF; a version of which neither was ever said has none."""
    row = await _found(request, front)
    if "hold" not in row.lock:
        raise S3Error("NoSuchObjectLockConfiguration")
    return answers.xml(lock.write_hold(row.lock["hold"]))


async def put_retention(request: Request, front: Front, receive_body: Receive) -> Answer:
    """Retain until a time to come, or (an empty document, where governance is bypassed) not any more."""
    receive.require_digest(request)
    wanted = lock.read_retention(await receive.document(request, receive_body, LIMIT))
    await authorise.authorise_said(request, front, _said(wanted))
    lock_headers.require(request.bucket)
    if wanted is not None:
        lock_headers.in_future(wanted.until)
    version_id = versions.asked(request)
    bypass = demands.is_bypassing(request.headers)
    if request.bucket.kind == "s3":
        row = await versions.find(front, request.bucket, request.key, version_id)
        mode, until = (wanted.mode, wanted.until) if wanted else (None, None)
        await remote.set_retention(request.bucket, row, mode, until, front, bypass_governance=bypass)
    with amend.refusals(request.key, version_id):
        await front.index.set_retention(
            request.bucket,
            request.key,
            version_id,
            wanted.mode if wanted else None,
            wanted.until if wanted else None,
            bypass_governance=bypass,
            actor=request.access.actor,
        )
    return answers.empty()


async def put_legal_hold(request: Request, front: Front, receive_body: Receive) -> Answer:
    receive.require_digest(request)
    hold = lock.read_hold(await receive.document(request, receive_body, LIMIT))
    said = {"s3:object-lock-legal-hold": ("ON" if hold else "OFF",)}
    await authorise.authorise_said(request, front, said)
    lock_headers.require(request.bucket)
    version_id = versions.asked(request)
    if request.bucket.kind == "s3":
        row = await versions.find(front, request.bucket, request.key, version_id)
        await remote.set_legal_hold(request.bucket, row, front, hold=hold)
    with amend.refusals(request.key, version_id):
        await front.index.set_legal_hold(
            request.bucket, request.key, version_id, hold=hold, actor=request.access.actor
        )
    return answers.empty()


def _said(wanted: lock.Retention | None) -> authorise.Values:
    """A retention as the conditions of policies have it."""
    return {
        "s3:object-lock-mode": (wanted.mode,) if wanted else None,
        "s3:object-lock-retain-until-date": (iso(wanted.until),) if wanted else None,
        "s3:object-lock-remaining-retention-days": (remaining_days(wanted.until),) if wanted else None,
    }


async def _found(request: Request, front: Front) -> ObjectRow:
    lock_headers.require(request.bucket)
    return await versions.find(front, request.bucket, request.key, versions.asked(request))
