"""The bucket policy, and whether it makes the bucket public."""

from typing import Final

from gateway.decision.types import Answer, Decision
from storage.policy import reader
from storage.policy.grammar import MAX_BYTES
from storage.s3 import answers
from storage.s3.body import Receive
from storage.s3.documents import public_access
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.handlers import verbs
from storage.s3.handlers.settings import reading
from storage.s3.request import Request
from storage.services import bucket_settings

_JSON: Final = [("Content-Type", "application/json")]


async def get(request: Request, front: Front) -> Decision:
    text = (await reading.fresh(request, front)).policy
    if not text:
        raise S3Error("NoSuchBucketPolicy", extra={"BucketName": request.bucket.name})
    return Answer(200, _JSON, text.encode())


async def status(request: Request, front: Front) -> Decision:
    bucket = await reading.fresh(request, front)
    return answers.xml(
        public_access.policy_status(
            bool(bucket.policy) and reader.bucket_policy(bucket.policy, bucket.name).is_public
        )
    )


async def put(request: Request, front: Front, receive_body: Receive) -> Answer:
    body = await verbs.document(request, receive_body, limit=MAX_BYTES, code="MalformedPolicy")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise S3Error("MalformedPolicy", "The policy is not UTF-8.") from None
    if not text.strip():
        raise S3Error("MalformedPolicy")
    await verbs.change(
        request, front, lambda bucket, actor: bucket_settings.set_policy(bucket, text, actor=actor)
    )
    return answers.empty(204)


async def delete(request: Request, front: Front, receive_body: Receive) -> Answer:
    await verbs.change(
        request, front, lambda bucket, actor: bucket_settings.set_policy(bucket, "", actor=actor)
    )
    return answers.empty(204)
