"""From a claim to a request that may be carried out."""

from dataclasses import replace
from typing import Final

from storage.s3 import headers as object_headers
from storage.s3 import owners
from storage.s3.authorise import authorise
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.operation import Operation
from storage.s3.request import Claimed, Request
from storage.snapshot import AccessKeyInfo

_WITHOUT_BUCKET: Final = (Operation.LIST_BUCKETS, Operation.CREATE_BUCKET)
# What a client asks right after it made, changed or removed the bucket is not answered from memory.
_FRESH: Final = frozenset({Operation.HEAD_BUCKET, Operation.DELETE_BUCKET})


async def admitted(asked: Claimed, front: Front) -> Request:
    """The request of a caller who is proven (or anonymous), has not asked too often and may. Raises S3Error.

    A POST form says in its body who signed it: it is only counted here, `admitted_as` does the rest.
    """
    request = asked.prove()
    front.count(request.access, request.head.client_ip)
    if request.operation is Operation.POST_OBJECT:
        return request
    return await _let_in(request, front)


async def admitted_as(
    request: Request, front: Front, access: AccessKeyInfo, key: str, headers: dict[str, str]
) -> Request:
    """A POST form's request once its fields are read and proven: who asks, to write which key, with which headers.

    Raises S3Error.
    """
    request = replace(request, access=access, key=key, headers=headers)
    if not access.is_anonymous:
        front.count(access, request.head.client_ip)
    return await _let_in(request, front)


async def _let_in(request: Request, front: Front) -> Request:
    if request.operation not in _WITHOUT_BUCKET:
        fresh = request.operation in _FRESH
        bucket = await front.sought_bucket(request.access, request.bucket_name, fresh=fresh)
        if bucket is None:
            # Who shows no credential is not told which names there are.
            if request.access.is_anonymous:
                raise S3Error("AccessDenied")
            raise S3Error("NoSuchBucket", extra={"BucketName": request.bucket_name})
        owners.check(bucket, request.headers.get(owners.HEADER))
        request = replace(request, found=bucket)
    await authorise(request, front)
    front.used(request.access)
    object_headers.refuse_unsupported(request.headers)
    return request
