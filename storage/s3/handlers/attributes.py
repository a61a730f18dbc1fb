"""GetObjectAttributes."""

from gateway.decision.types import Decision
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Request


async def get(request: Request, front: Front) -> Decision:
    raise S3Error("NotImplemented")
