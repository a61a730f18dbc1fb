"""PostObject: an upload from a form in a browser."""

from gateway.decision.types import Answer
from storage.s3.body import Receive
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Request


async def post(request: Request, front: Front, receive_body: Receive) -> Answer:
    raise S3Error("NotImplemented")
