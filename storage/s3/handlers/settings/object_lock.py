"""Object lock of a bucket and its default retention."""

from gateway.decision.types import Answer, Decision
from storage.s3 import answers
from storage.s3.body import Receive
from storage.s3.documents import lock
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.handlers import verbs
from storage.s3.handlers.settings import reading
from storage.s3.request import Request
from storage.services import bucket_settings


async def get(request: Request, front: Front) -> Decision:
    bucket = await reading.fresh(request, front)
    if not bucket.object_lock:
        raise S3Error("ObjectLockConfigurationNotFoundError", extra={"BucketName": bucket.name})
    return answers.xml(lock.write(bucket.default_retention))


async def put(request: Request, front: Front, receive_body: Receive) -> Answer:
    default = lock.read(await verbs.document(request, receive_body))
    await verbs.change(
        request,
        front,
        lambda bucket, actor: bucket_settings.set_object_lock(bucket, default, actor=actor),
        asks_backend=True,
    )
    return answers.empty()
