"""The tags of a bucket."""

from gateway.decision.types import Answer, Decision
from storage.s3 import answers
from storage.s3.body import Receive
from storage.s3.documents import tags
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.handlers import verbs
from storage.s3.handlers.settings import reading
from storage.s3.request import Request
from storage.services import bucket_settings


async def get(request: Request, front: Front) -> Decision:
    found = (await reading.fresh(request, front)).tags
    if not found:
        raise S3Error("NoSuchTagSet", extra={"BucketName": request.bucket.name})
    return answers.xml(tags.write(found))


async def put(request: Request, front: Front, receive_body: Receive) -> Answer:
    wanted = tags.read(await verbs.document(request, receive_body), tags.MAX_BUCKET_TAGS)
    await verbs.change(
        request, front, lambda bucket, actor: bucket_settings.set_tags(bucket, wanted, actor=actor)
    )
    return answers.empty(204)


async def delete(request: Request, front: Front, receive_body: Receive) -> Answer:
    await verbs.change(
        request, front, lambda bucket, actor: bucket_settings.set_tags(bucket, {}, actor=actor)
    )
    return answers.empty(204)
