"""The tags of an object's version."""

from collections.abc import Mapping

from gateway.decision.types import Answer, Decision
from storage.index import ObjectRow
from storage.s3 import amend, answers, authorise, receive, versions
from storage.s3.body import Receive
from storage.s3.documents import tags
from storage.s3.documents.schema import LIMIT
from storage.s3.front import Front
from storage.s3.request import Request


async def get(request: Request, front: Front) -> Decision:
    version_id = versions.asked(request)
    row = await versions.find(front, request.bucket, request.key, version_id)
    return answers.xml(tags.write(row.tags), versions.named(request.bucket, row, version_id))


async def put(request: Request, front: Front, receive_body: Receive) -> Answer:
    """Replace the tags."""
    found = tags.read(await receive.document(request, receive_body, LIMIT), tags.MAX_OBJECT_TAGS)
    await authorise.authorise_said(request, front, tags=found)
    row = await _set(request, front, found)
    return answers.empty(200, versions.named(request.bucket, row))


async def delete(request: Request, front: Front, receive_body: Receive) -> Answer:
    row = await _set(request, front, {})
    return answers.empty(204, versions.named(request.bucket, row))


async def _set(request: Request, front: Front, found: Mapping[str, str]) -> ObjectRow:
    version_id = versions.asked(request)
    with amend.refusals(request.key, version_id):
        return await front.index.set_tags(
            request.bucket, request.key, version_id, found, request.access.actor
        )
