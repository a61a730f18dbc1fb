"""The CORS rules of a bucket."""

from gateway.decision.types import Answer, Decision
from storage.s3 import answers
from storage.s3.body import Receive
from storage.s3.documents import cors
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.handlers import verbs
from storage.s3.handlers.settings import reading
from storage.s3.request import Request
from storage.services import bucket_settings


async def get(request: Request, front: Front) -> Decision:
    rules = (await reading.fresh(request, front)).cors
    if not rules:
        raise S3Error("NoSuchCORSConfiguration", extra={"BucketName": request.bucket.name})
    return answers.xml(cors.write(rules))


async def put(request: Request, front: Front, receive_body: Receive) -> Answer:
    rules = cors.read(await verbs.document(request, receive_body, limit=cors.LIMIT))
    await verbs.change(
        request, front, lambda bucket, actor: bucket_settings.set_cors(bucket, rules, actor=actor)
    )
    return answers.empty()


async def delete(request: Request, front: Front, receive_body: Receive) -> Answer:
    await verbs.change(
        request, front, lambda bucket, actor: bucket_settings.set_cors(bucket, [], actor=actor)
    )
    return answers.empty(204)
