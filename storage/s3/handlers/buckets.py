"""Operations on buckets. What changes them is the verbs' affair, as for every other door."""

from contextlib import suppress
from typing import Final

from gateway.decision.types import Answer, Decision
from storage import snapshot
from storage.models import Placement
from storage.s3 import answers
from storage.s3.body import Receive
from storage.s3.documents import acl, creation, listing, ownership
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.handlers import verbs
from storage.s3.request import Request
from storage.services import buckets, placements

MAX_BUCKETS: Final = 10_000
OBJECT_LOCK: Final = "x-amz-bucket-object-lock-enabled"
OWNERSHIP: Final = "x-amz-object-ownership"

_CREATION_LIMIT: Final = 64 << 10


async def list_all(request: Request, front: Front) -> Decision:
    """The caller's tenant's buckets by name, those the caller may not enter too, as S3 lists them."""
    most = request.number("max-buckets", MAX_BUCKETS + 1, default=MAX_BUCKETS)
    if not 1 <= most <= MAX_BUCKETS:
        raise S3Error(
            "InvalidArgument",
            f"Argument max-buckets must be an integer between 1 and {MAX_BUCKETS}.",
            extra={"ArgumentName": "max-buckets", "ArgumentValue": request.query["max-buckets"]},
        )
    prefix, token = request.query.get("prefix", ""), request.query.get("continuation-token", "")
    async with front.ctx.db.wide() as conn:
        rows = await snapshot.find_tenant_buckets(conn, request.access.tenant_id)
    after = listing.read_token(token) if token else ""
    if only := request.access.caller.scope.buckets:
        rows = [row for row in rows if row.name in only]
    found = [(row.name, row.created_at) for row in rows if row.name.startswith(prefix) and row.name > after]
    following = found[most - 1][0] if len(found) > most else None
    return answers.xml(listing.write(found[:most], request.owner, prefix=prefix, following=following))


async def create(request: Request, front: Front, receive_body: Receive) -> Answer:
    """Make the bucket; asked again by the same tenant, answer as the first time, as S3 does in us-east-1."""
    body = await verbs.document(request, receive_body, limit=_CREATION_LIMIT)
    asked = creation.read(body)
    name, locked = request.bucket_name, _wants_lock(request)
    answer = answers.empty(200, [("Location", f"/{name}")])
    owned = ownership.supported(request.headers[OWNERSHIP]) if OWNERSHIP in request.headers else ""
    private = _is_private(request)
    there = await front.find_bucket(request.access.tenant_id, name, fresh=True)
    if there is not None:
        if not private:
            raise S3Error("BucketAlreadyExists", extra={"BucketName": name})
        if there.object_lock != locked or asked.tags:
            raise S3Error("BucketAlreadyOwnedByYou", extra={"BucketName": name})
        return answer
    if not private:
        raise S3Error("InvalidBucketAclWithObjectOwnership")
    made = await verbs.run(
        request,
        lambda actor: buckets.create_bucket(
            name, object_lock=locked, tags=asked.tags, location=asked.location, ownership=owned, actor=actor
        ),
    )
    if not made.placement.is_settled:
        await _place(request, made.placement)
    return answer


async def delete(request: Request, front: Front, receive_body: Receive) -> Answer:
    bucket = request.bucket
    await verbs.run(
        request,
        lambda actor: buckets.delete_bucket(buckets.get_bucket(bucket.name, actor=actor), actor=actor),
        backend_id=bucket.backend_id if bucket.kind == "s3" else None,
    )
    return answers.empty(204)


async def head(request: Request, front: Front) -> Decision:
    return answers.empty(200, [("x-amz-bucket-region", request.bucket.location or creation.REGION)])


async def location(request: Request, front: Front) -> Decision:
    return answers.xml(creation.location(request.bucket.location))


def _wants_lock(request: Request) -> bool:
    text = request.headers.get(OBJECT_LOCK, "").lower()
    if text not in ("", "true", "false"):
        raise S3Error("InvalidArgument", f"Invalid {OBJECT_LOCK} header: {text}")
    return text == "true"


def _is_private(request: Request) -> bool:
    try:
        acl.check_headers(request.headers, public_blocked=False)
    except S3Error as error:
        if error.code != "AccessControlListNotSupported":
            raise
        return False
    return True


async def _place(request: Request, placement: Placement) -> None:
    """Clients write right after they made a bucket, so its backend is not left to the reconciler's next run.

    Where that one is slow it is: the bucket is there all the same.
    """
    with suppress(S3Error):
        await verbs.run(
            request, lambda actor: placements.reconcile(placement.pk), backend_id=placement.backend_id
        )
