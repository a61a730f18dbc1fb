"""OPTIONS: what a browser may ask of a bucket from another origin."""

from gateway.decision.types import Answer, RequestHead
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.operation import Target


async def answer(head: RequestHead, target: Target, front: Front) -> Answer:
    """A browser sends no credential with it. Raises S3Error."""
    raise S3Error("AccessForbidden")
