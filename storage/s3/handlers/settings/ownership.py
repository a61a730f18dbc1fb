"""Object ownership: the bucket owner's, always; what changes is whether somebody said so."""

from gateway.decision.types import Answer, Decision
from storage.models import Bucket
from storage.s3 import answers
from storage.s3.body import Receive
from storage.s3.documents import ownership
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.handlers import verbs
from storage.s3.handlers.settings import reading
from storage.s3.request import Request
from storage.services import bucket_settings


async def get(request: Request, front: Front) -> Decision:
    bucket = await reading.fresh(request, front)
    if bucket.ownership == Bucket.Ownership.REMOVED:
        raise S3Error("OwnershipControlsNotFoundError", extra={"BucketName": bucket.name})
    return answers.xml(ownership.write())


async def put(request: Request, front: Front, receive_body: Receive) -> Answer:
    wanted = ownership.read(await verbs.document(request, receive_body))
    await verbs.change(
        request, front, lambda bucket, actor: bucket_settings.set_ownership(bucket, wanted, actor=actor)
    )
    return answers.empty()


async def delete(request: Request, front: Front, receive_body: Receive) -> Answer:
    """What is left without controls is what there was: the owner's."""
    await verbs.change(
        request,
        front,
        lambda bucket, actor: bucket_settings.set_ownership(bucket, Bucket.Ownership.REMOVED, actor=actor),
    )
    return answers.empty(204)
