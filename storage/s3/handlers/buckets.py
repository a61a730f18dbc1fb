"""Operations on buckets. What changes them is the verbs' affair, as for every other door."""

from typing import Final

from gateway.decision.types import Answer, Decision
from storage import snapshot
from storage.models import Bucket
from storage.s3 import answers
from storage.s3.body import Receive
from storage.s3.documents import acl, creation, listing, ownership
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.handlers import verbs
from storage.s3.request import Request
from storage.services import buckets, placements
from tenants.principal import Principal

MAX_BUCKETS: Final = 10_000
OBJECT_LOCK: Final = "x-amz-bucket-object-lock-enabled"
OWNERSHIP: Final = "x-amz-object-ownership"

_CREATION_LIMIT: Final = 64 << 10


async def list_all(request: Request, front: Front) -> Decision:
    """The caller's tenant's buckets by name, those the caller may not enter too, as S3 lists them."""
    most = request.number("max-buckets", MAX_BUCKETS)
    if most < 1:
        raise S3Error("InvalidArgument", f"max-buckets must be 1 to {MAX_BUCKETS}")
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
    if OWNERSHIP in request.headers:
        ownership.supported(request.headers[OWNERSHIP])
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
    await verbs.run(request, lambda actor: _make(name, locked, asked.tags, actor))
    return answer


async def delete(request: Request, front: Front, receive_body: Receive) -> Answer:
    name = request.bucket_name
    await verbs.run(
        request, lambda actor: buckets.delete_bucket(buckets.get_bucket(name, actor=actor), actor=actor)
    )
    return answers.empty(204)


async def head(request: Request, front: Front) -> Decision:
    return answers.empty(200, [("x-amz-bucket-region", creation.REGION)])


async def location(request: Request, front: Front) -> Decision:
    return answers.xml(creation.location())


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


def _make(name: str, locked: bool, tags: dict[str, str], actor: Principal) -> Bucket:
    """Clients write right after they made a bucket, so its backend is not left to the reconciler's next run."""
    bucket = buckets.create_bucket(name, object_lock=locked, tags=tags, actor=actor)
    if not bucket.placement.is_settled:
        placements.reconcile(bucket.placement.pk)
    return bucket
