"""What no policy of the bucket may open."""

from gateway.decision.types import Answer, Decision
from storage.s3 import answers
from storage.s3.body import Receive
from storage.s3.documents import public_access
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.handlers import verbs
from storage.s3.handlers.settings import reading
from storage.s3.request import Request
from storage.services import bucket_settings


async def get(request: Request, front: Front) -> Decision:
    flags = (await reading.fresh(request, front)).public_access_block
    if flags is None:
        raise S3Error("NoSuchPublicAccessBlockConfiguration", extra={"BucketName": request.bucket.name})
    return answers.xml(public_access.write(flags))


async def put(request: Request, front: Front, receive_body: Receive) -> Answer:
    flags = public_access.read(await verbs.document(request, receive_body))
    await verbs.change(
        request,
        front,
        lambda bucket, actor: bucket_settings.set_public_access_block(bucket, flags, actor=actor),
    )
    return answers.empty()


async def delete(request: Request, front: Front, receive_body: Receive) -> Answer:
    await verbs.change(
        request,
        front,
        lambda bucket, actor: bucket_settings.set_public_access_block(bucket, None, actor=actor),
    )
    return answers.empty(204)
