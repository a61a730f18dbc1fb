"""From a claim to a request that may be carried out."""

from dataclasses import replace
from typing import Final

from storage.s3.authorise import authorise
from storage.s3.front import Front
from storage.s3.operation import Operation
from storage.s3.request import Claimed, Request

_WITHOUT_BUCKET: Final = (Operation.LIST_BUCKETS, Operation.CREATE_BUCKET)
# What a client asks right after it made, changed or removed the bucket is not answered from memory.
_FRESH: Final = frozenset({Operation.HEAD_BUCKET, Operation.DELETE_BUCKET})


async def admitted(asked: Claimed, front: Front) -> Request:
    """The request of a caller who is proven, has not asked too often and may. Raises S3Error."""
    request = asked.prove()
    front.count(request.access)
    if request.operation not in _WITHOUT_BUCKET:
        fresh = request.operation in _FRESH
        bucket = await front.bucket(request.access.tenant_id, request.bucket_name, fresh=fresh)
        request = replace(request, found=bucket)
    await authorise(request, front)
    return request
