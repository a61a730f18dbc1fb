"""DeleteObject, and DeleteObjects of up to a thousand keys, each of which has its own outcome."""

import asyncio
from typing import Final

from gateway.decision.types import Answer
from storage.errors import StorageRefusal
from storage.index import DeleteCommit, DeleteOutcome, Expected
from storage.s3 import (
    answers,
    authorise,
    conditional,
    demands,
    headers,
    receive,
    remote,
    versions,
    xml_deletes,
)
from storage.s3.body import Receive
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Request
from storage.s3.target import MAX_KEY_BYTES
from storage.s3.xml_deletes import Doomed, Outcome

_REMOTE_AT_ONCE: Final = 16


async def delete(request: Request, front: Front, receive_body: Receive) -> Answer:
    """Remove the object or a version of it, or mark it deleted; what is not there is removed already."""
    change = DeleteCommit(
        request.bucket,
        request.key,
        request.access.actor,
        version_id=versions.asked(request),
        bypass_governance=demands.is_bypassing(request.headers),
        expected=conditional.deletion(request.headers),
    )
    done = await _remove(change, front)
    found = []
    if done.delete_marker:
        found.append((headers.DELETE_MARKER, "true"))
    version_id = done.version_id or change.version_id
    if version_id is not None:
        found.append((headers.VERSION, version_id))
    return answers.empty(204, found)


async def delete_many(request: Request, front: Front, receive_body: Receive) -> Answer:
    """Remove what the document names."""
    receive.require_digest(request)
    deletion = xml_deletes.read(await receive.document(request, receive_body, xml_deletes.MAX_DELETE))
    slots = asyncio.Semaphore(_REMOTE_AT_ONCE)

    async def remove(doomed: Doomed) -> Outcome:
        try:
            change = await _change(request, front, doomed)
            if request.bucket.kind == "local":
                return Outcome(doomed, await _remove(change, front))
            async with slots:
                return Outcome(doomed, await _remove(change, front))
        except S3Error as error:
            return Outcome(doomed, error=error)
        except StorageRefusal as refusal:
            return Outcome(doomed, error=answers.translate(refusal))

    # The same version twice is one deletion with two answers.
    unique = {(doomed.key, doomed.version_id): doomed for doomed in reversed(deletion.objects)}
    outcomes = dict(zip(unique, await asyncio.gather(*map(remove, unique.values())), strict=True))
    told = [outcomes[doomed.key, doomed.version_id] for doomed in deletion.objects]
    return answers.xml(xml_deletes.write(told, quiet=deletion.quiet))


async def _change(request: Request, front: Front, doomed: Doomed) -> DeleteCommit:
    """One entry as a deletion that the caller may do. Raises S3Error."""
    if len(doomed.key.encode()) > MAX_KEY_BYTES:
        raise S3Error("KeyTooLongError")
    version_id = _version(request, doomed)
    await authorise.require_delete(request, front, doomed.key, version_id or "")
    if doomed.expected is not None and doomed.expected != Expected(etag="*"):
        action = demands.read_action(version_id or "")
        await authorise.require(request, front, action, doomed.key, version_id=version_id or "")
    return DeleteCommit(
        request.bucket,
        doomed.key,
        request.access.actor,
        version_id=version_id,
        bypass_governance=demands.is_bypassing(request.headers),
        expected=doomed.expected,
    )


def _version(request: Request, doomed: Doomed) -> str | None:
    """The version that an entry names. Raises NoSuchVersion for what could be none, as S3 does here."""
    if not doomed.version_id:
        return None
    try:
        return versions.valid(doomed.version_id, request.bucket)
    except S3Error:
        raise S3Error("NoSuchVersion") from None


async def _remove(change: DeleteCommit, front: Front) -> DeleteOutcome:
    """Delete, wherever the bucket lies. Raises S3Error, StorageRefusal."""
    if change.bucket.kind == "s3":
        return await remote.delete(change, front)
    return await front.index.delete_object(change)
