"""What a bucket of S3 may have and none here has: logging, a website, replication, acceleration, requester pays."""

from gateway.decision.types import Decision
from storage.s3 import answers
from storage.s3.documents import fixed
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Request


async def logging(request: Request, front: Front) -> Decision:
    return answers.xml(fixed.logging())


async def request_payment(request: Request, front: Front) -> Decision:
    return answers.xml(fixed.payment())


async def acceleration(request: Request, front: Front) -> Decision:
    return answers.xml(fixed.acceleration())


async def website(request: Request, front: Front) -> Decision:
    raise S3Error("NoSuchWebsiteConfiguration", extra={"BucketName": request.bucket.name})


async def replication(request: Request, front: Front) -> Decision:
    raise S3Error("ReplicationConfigurationNotFoundError", extra={"BucketName": request.bucket.name})
