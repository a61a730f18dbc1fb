"""Versioning of a bucket."""

from gateway.decision.types import Answer, Decision
from storage.s3 import answers
from storage.s3.body import Receive
from storage.s3.documents import versioning
from storage.s3.front import Front
from storage.s3.handlers import verbs
from storage.s3.handlers.settings import reading
from storage.s3.request import Request
from storage.services import bucket_settings


async def get(request: Request, front: Front) -> Decision:
    return answers.xml(versioning.write((await reading.fresh(request, front)).versioning))


async def put(request: Request, front: Front, receive_body: Receive) -> Answer:
    status = versioning.read(await verbs.document(request, receive_body))
    await verbs.change(
        request,
        front,
        lambda bucket, actor: bucket_settings.set_versioning(bucket, status, actor=actor),
        asks_backend=True,
    )
    return answers.empty()
