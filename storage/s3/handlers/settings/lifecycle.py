"""The lifecycle rules of a bucket."""

from gateway.decision.types import Answer, Decision
from storage.s3.body import Receive
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Request


async def get(request: Request, front: Front) -> Decision:
    raise S3Error("NotImplemented")


async def put(request: Request, front: Front, receive_body: Receive) -> Answer:
    raise S3Error("NotImplemented")


async def delete(request: Request, front: Front, receive_body: Receive) -> Answer:
    raise S3Error("NotImplemented")
