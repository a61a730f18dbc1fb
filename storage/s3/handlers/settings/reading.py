"""Reading settings as they are now: who just changed one, through whichever process, is told what it is."""

from typing import Any

import orjson

from storage.index import BucketInfo
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Request


async def fresh(request: Request, front: Front) -> BucketInfo:
    """The request's bucket from the database. Raises NoSuchBucket."""
    return await front.bucket(request.bucket.tenant_id, request.bucket.name, fresh=True)


async def undecided(request: Request, front: Front, column: str) -> Any:
    """A setting that no decision needs, so that it is not among what this process keeps. Raises NoSuchBucket."""
    async with front.ctx.db.wide() as conn:
        text = await conn.fetchval(
            f"SELECT {column}::text FROM storage_bucket WHERE id = $1",  # noqa: S608 - ours
            request.bucket.id,
        )
    if text is None:
        raise S3Error("NoSuchBucket", extra={"BucketName": request.bucket.name})
    return orjson.loads(text)
