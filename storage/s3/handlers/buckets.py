"""Operations on buckets. What changes them is the verbs' affair, as for every other door."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from django.db import close_old_connections

from gateway.db.scope import tenant_scope
from gateway.decision.types import Answer, Decision
from gateway.errors import Conflict, DomainError, Forbidden, Invalid, NotFound, QuotaExceeded, Unavailable
from storage import snapshot
from storage.s3 import answers, receive, xml
from storage.s3.body import Receive
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Request
from storage.services import buckets, placements
from tenants import resolver
from tenants.principal import Credential, Principal

T = TypeVar("T")

# The verbs are Django's and block. Few buckets are made at a time, so few threads (and connections) do.
_threads: Final = ThreadPoolExecutor(2, thread_name_prefix="s3-verbs")

_CODES: Final[tuple[tuple[type[DomainError], str], ...]] = (
    (Forbidden, "AccessDenied"),
    (NotFound, "NoSuchBucket"),
    (QuotaExceeded, "QuotaExceeded"),
    (Unavailable, "ServiceUnavailable"),
)
_LOCATION_LIMIT: Final = 64 << 10


async def list_all(request: Request, front: Front) -> Decision:
    async with front.ctx.db.wide() as conn:
        found = await snapshot.find_tenant_buckets(conn, request.access.tenant_id)
    return answers.xml(xml.list_buckets(found, request.owner))


async def create(request: Request, front: Front, receive_body: Receive) -> Answer:
    xml.check_create_bucket(await receive.document(request, receive_body, _LOCATION_LIMIT))
    name = request.bucket_name
    try:
        await _verb(request, lambda actor: _make(name, actor))
    except Conflict:
        raise S3Error("BucketAlreadyOwnedByYou", extra={"BucketName": name}) from None
    except Invalid as error:
        raise S3Error("InvalidBucketName", error.detail, extra={"BucketName": name}) from None
    return answers.empty(200, [("Location", f"/{name}")])


async def delete(request: Request, front: Front, receive_body: Receive) -> Answer:
    name = request.bucket_name
    await front.bucket(request.access.tenant_id, name, fresh=True)
    try:
        await _verb(request, lambda actor: _remove(name, actor))
    except Conflict as error:
        code = "BucketNotEmpty" if error.code == "bucket_not_empty" else "OperationAborted"
        raise S3Error(code, extra={"BucketName": name}) from None
    return answers.empty(204)


async def head(request: Request, front: Front) -> Decision:
    return answers.empty(200, [("x-amz-bucket-region", "us-east-1")])


async def location(request: Request, front: Front) -> Decision:
    return answers.xml(xml.location())


def _make(name: str, actor: Principal) -> None:
    """Clients write right after they made a bucket, so its backend is not left to the reconciler's next run."""
    bucket = buckets.create_bucket(name, actor=actor)
    if not bucket.placement.is_settled:
        placements.reconcile(bucket.placement.pk)


def _remove(name: str, actor: Principal) -> None:
    buckets.delete_bucket(buckets.get_bucket(name, actor=actor), actor=actor)


async def _verb(request: Request, verb: Callable[[Principal], T]) -> T:
    """Run a verb as the key's user, in a thread of its own. Raises S3Error, Conflict, Invalid."""
    access, ip = request.access, request.head.client_ip

    def run() -> T:
        close_old_connections()
        credential = Credential("s3_key", access.access_key_id)
        try:
            actor = resolver.renewed(access.user_id, access.tenant_id, credential, ip)
            with tenant_scope(access.tenant_id):
                return verb(actor)
        finally:
            close_old_connections()

    try:
        return await asyncio.get_running_loop().run_in_executor(_threads, run)
    except (Conflict, Invalid):
        raise
    except DomainError as error:
        for kind, code in _CODES:
            if isinstance(error, kind):
                raise S3Error(code, error.detail) from None
        raise S3Error("AccessDenied", error.detail) from None
