"""ACLs where the bucket's owner owns every object: told, and changed to nothing else."""

from gateway.decision.types import Answer, Decision
from storage.s3.body import Receive
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Request


async def get_bucket(request: Request, front: Front) -> Decision:
    raise S3Error("NotImplemented")


async def get_object(request: Request, front: Front) -> Decision:
    raise S3Error("NotImplemented")


async def put_bucket(request: Request, front: Front, receive_body: Receive) -> Answer:
    raise S3Error("NotImplemented")


async def put_object(request: Request, front: Front, receive_body: Receive) -> Answer:
    raise S3Error("NotImplemented")
